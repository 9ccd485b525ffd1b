/**
 * What happens to a pairing: a QR is asked for, shown, scanned, refused, or over.
 *
 * Source: decisions, "The QR".
 * @module
 */
import type { FaultCode } from "@session-manager/contract";
import { failed, used } from "./changes.ts";
import type { Verdict } from "./disconnect.ts";
import type { Effect, SessionEvent } from "./events.ts";
import {
  CLOSE_LOGIN,
  endPairing,
  type Move,
  openLogin,
  to,
  type TransitionContext,
  unchanged,
  wait,
} from "./moves.ts";
import { onLoginLost } from "./on_login.ts";
import { expire, generateQr, isValid } from "./qr.ts";
import { updateSession } from "./session.ts";
import {
  hasLoginSocket,
  hasPairingSocket,
  IDLE,
  isLoginWorking,
  isPairing,
  NO_PAIRING,
  type SessionSnapshot,
} from "./snapshot.ts";

/** A QR is asked for: a pairing is opened where one makes sense and none is open. */
export function onQrRequested(snapshot: SessionSnapshot, at: TransitionContext): Move {
  const { status } = snapshot.session;
  if (status === "connecting" || status === "connected" || hasPairingSocket(snapshot)) {
    return unchanged(snapshot);
  }
  const deadline = at.steady + at.policy.firstQrMs;
  return to(snapshot, { pairing: { kind: "showing", deadline } }, [{ type: "open_pairing_socket" }]);
}

/** The pairing socket shows a QR. */
export function onQr(
  snapshot: SessionSnapshot,
  shown: Extract<SessionEvent, { type: "qr" }>,
  at: TransitionContext,
): Move {
  if (!isPairing(snapshot)) return unchanged(snapshot);
  const fresh = generateQr(shown.string, shown.ordinal, shown.generatedAt, at.policy.qrLife);
  // The news may come so late that nobody can scan it any more.
  const qr = isValid(fresh, at.now) ? fresh : expire(fresh);
  // No longer than it lives, should the wall clock have been set back meanwhile.
  const leftMs = Math.min(Math.max(0, fresh.expiresAt - at.now), fresh.expiresAt - fresh.generatedAt);
  // Out of an error, a login that may work again is taken up beside the QR.
  const login = snapshot.link === "working" && snapshot.login.kind === "idle"
    ? wait(snapshot, "UNKNOWN", at)
    : snapshot.login;
  return to(snapshot, {
    session: updateSession(snapshot.session, at.now, { status: "qr_required", qr, lastError: null }),
    login,
    pairing: { kind: "showing", deadline: at.steady + leftMs + at.policy.nextQrMs },
  });
}

/** The scan is accepted: from now on the new login counts, and the old one is held until it has proved itself. */
export function onPaired(
  snapshot: SessionSnapshot,
  { credentials, keys }: Extract<SessionEvent, { type: "paired" }>,
  at: TransitionContext,
): Move {
  if (!isPairing(snapshot)) return unchanged(snapshot);
  const paired = to(snapshot, {
    session: updateSession(snapshot.session, at.now, {
      status: "connecting",
      qr: used(snapshot.session),
      lastError: null,
    }),
    link: "working",
    predecessor: snapshot.predecessor || snapshot.link === "working",
    login: IDLE,
    pairing: { kind: "paired", deadline: at.steady + at.policy.restartMs },
  }, hasLoginSocket(snapshot) ? [CLOSE_LOGIN] : []);
  return { ...paired, credentials: { kind: "adopt", credentials, keys, retiredId: at.retiredId } };
}

/** WhatsApp refuses to pair: an error of the session only where no login works. */
export function refusePairing(
  snapshot: SessionSnapshot,
  code: FaultCode,
  at: TransitionContext,
  effects: readonly Effect[] = [],
): Move {
  if (isLoginWorking(snapshot)) return endPairing(snapshot, true, at, effects);
  const session = failed(snapshot.session, code, null, at.now);
  return to(snapshot, { session, login: IDLE, pairing: NO_PAIRING }, effects);
}

/** The pairing socket ended. */
export function onPairingClosed(snapshot: SessionSnapshot, verdict: Verdict, at: TransitionContext): Move {
  switch (snapshot.pairing.kind) {
    case "none":
      return unchanged(snapshot);
    case "showing":
      return verdict.kind === "unrecoverable"
        ? refusePairing(snapshot, verdict.code, at)
        : endPairing(snapshot, false, at);
    case "paired": {
      const scanned = { ...snapshot, pairing: NO_PAIRING };
      // The socket that paired always ends; the pairing goes on with the login, whatever ended it.
      return verdict.kind === "retry" || verdict.kind === "restart"
        ? openLogin(scanned, null, at)
        : onLoginLost(scanned, verdict, null, at);
    }
    default:
      return snapshot.pairing satisfies never;
  }
}
