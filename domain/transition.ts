/**
 * The one function through which every change of a session goes, wherever it comes from.
 *
 * Source: decisions, "Transitions", "The QR", "Internal events", "After a restart".
 * @module
 */
import { connected, connecting, disconnected, failed, used } from "./changes.ts";
import { type CredentialsChange, KEEP } from "./credentials.ts";
import { type DomainEvent, domainEvents } from "./domain_events.ts";
import { judge, type Verdict } from "./disconnect.ts";
import type { Effect, SessionEvent } from "./events.ts";
import {
  type DropReason,
  hasLoginSocket,
  hasPairingSocket,
  IDLE,
  isAtRest,
  isLoginWorking,
  isPairing,
  type LoginActivity,
  NO_PAIRING,
  type SessionSnapshot,
} from "./snapshot.ts";
import {
  CLOSE_LOGIN,
  CLOSE_PAIRING,
  closing,
  drop,
  endPairing,
  failLogin,
  failuresOf,
  logOut,
  loseLogin,
  type Move,
  openLogin,
  queue,
  to,
  toldFailure,
  type TransitionContext,
  unchanged,
  wait,
} from "./moves.ts";
import type { FaultCode } from "@session-manager/contract";
import { asOf, expire, generateQr, isValid, withoutValidQr } from "./qr.ts";
import { type Session, updateSession } from "./session.ts";

/** What an event leads to. */
export interface Transition {
  /** The next snapshot; the very same object when the event changes nothing. */
  readonly snapshot: SessionSnapshot;
  /** What becomes of the stored credentials, in the transaction that writes the session. */
  readonly credentials: CredentialsChange;
  /** What is told to the outside, in its order, once it is durable. */
  readonly events: readonly DomainEvent[];
  /** What has to be done once all of that is durable, in its order. */
  readonly effects: readonly Effect[];
}

/**
 * Applies one event. Total: every event is defined in every state; one that no longer concerns the
 * session (a late report of a closed socket) changes nothing.
 */
export function transition(before: SessionSnapshot, event: SessionEvent, at: TransitionContext): Transition {
  const { snapshot, credentials, effects } = move(before, event, at);
  return { snapshot, credentials, events: domainEvents(before.session, snapshot.session), effects };
}

function move(before: SessionSnapshot, event: SessionEvent, at: TransitionContext): Move {
  const session = asOf(before.session, at.now);
  const snapshot = session === before.session ? before : { ...before, session };
  switch (event.type) {
    case "qr_requested":
      return onQrRequested(snapshot, at);
    case "qr":
      return onQr(snapshot, event, at);
    case "paired":
      return onPaired(snapshot, event, at);
    case "passkey_demanded":
      return isPairing(snapshot)
        ? refusePairing(snapshot, "PASSKEY_REQUIRED", at, [CLOSE_PAIRING])
        : unchanged(snapshot);
    case "admitted":
      return snapshot.login.kind === "queued"
        ? openLogin(snapshot, snapshot.login.failures, at)
        : unchanged(snapshot);
    case "connected":
      return event.source === "socket"
        ? onSocketConnected(snapshot, event.phoneNumber, at)
        : onReportedConnected(snapshot, event.phoneNumber, at);
    case "disconnected":
      return event.reason === "LOGOUT"
        ? logOut(snapshot, at)
        : onReportedDisconnected(snapshot, event.reason, at);
    case "pairing_closed":
      return onPairingClosed(snapshot, judge(event.cause), at);
    case "login_closed":
      return hasLoginSocket(snapshot)
        ? onLoginLost(snapshot, judge(event.cause), event.rival ?? null, at)
        : unchanged(snapshot);
    case "credentials_unreadable":
      return hasLoginSocket(snapshot)
        ? failLogin(snapshot, "CREDENTIALS_UNREADABLE", null, at, [CLOSE_LOGIN])
        : unchanged(snapshot);
    case "restored":
      return onRestored(snapshot, at);
    case "stopping":
      return onStopping(snapshot, at);
    case "tick":
      return onTick(snapshot, at);
    default:
      return event satisfies never;
  }
}

// ── The QR ───────────────────────────────────────────────────────────────────────────────────────

function onQrRequested(snapshot: SessionSnapshot, at: TransitionContext): Move {
  const { status } = snapshot.session;
  if (status === "connecting" || status === "connected" || hasPairingSocket(snapshot)) {
    return unchanged(snapshot);
  }
  const deadline = at.steady + at.policy.firstQrMs;
  return to(snapshot, { pairing: { kind: "showing", deadline } }, [{ type: "open_pairing_socket" }]);
}

function onQr(
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
function onPaired(
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
function refusePairing(
  snapshot: SessionSnapshot,
  code: FaultCode,
  at: TransitionContext,
  effects: readonly Effect[] = [],
): Move {
  if (isLoginWorking(snapshot)) return endPairing(snapshot, true, at, effects);
  const session = failed(snapshot.session, code, null, at.now);
  return to(snapshot, { session, login: IDLE, pairing: NO_PAIRING }, effects);
}

function onPairingClosed(snapshot: SessionSnapshot, verdict: Verdict, at: TransitionContext): Move {
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

// ── The login ────────────────────────────────────────────────────────────────────────────────────

function onSocketConnected(
  snapshot: SessionSnapshot,
  phoneNumber: string | null,
  at: TransitionContext,
): Move {
  if (snapshot.login.kind !== "login") return unchanged(snapshot);
  const open = to(
    snapshot,
    {
      session: connected(snapshot.session, phoneNumber, at.now),
      predecessor: false,
      login: { kind: "open", failures: snapshot.login.failures, stableAt: at.steady + at.policy.stableMs },
      pairing: NO_PAIRING,
    },
    // It was not needed: nobody has scanned.
    hasPairingSocket(snapshot) ? [CLOSE_PAIRING] : [],
  );
  return { ...open, credentials: snapshot.predecessor ? { kind: "confirm" } : KEEP };
}

function onLoginLost(
  snapshot: SessionSnapshot,
  verdict: Verdict,
  rival: string | null,
  at: TransitionContext,
): Move {
  switch (verdict.kind) {
    case "restart":
      // Asked of a connection that had held, it is obeyed immediately; asked again and again, or in the middle of
      // the login, it has to wait like every other failure, or it could go on for ever.
      return snapshot.login.kind === "open" && failuresOf(snapshot) === null
        ? openLogin(snapshot, { attempts: 1, since: at.steady }, at)
        : drop(snapshot, "UNKNOWN", at);
    case "logged_out":
      return loseLogin(snapshot, at);
    case "unrecoverable":
      return failLogin(snapshot, verdict.code, rival, at);
    case "retry":
      return drop(snapshot, verdict.reason, at);
    default:
      return verdict satisfies never;
  }
}

// ── Internal events ──────────────────────────────────────────────────────────────────────────────

function onReportedConnected(
  snapshot: SessionSnapshot,
  phoneNumber: string | null,
  at: TransitionContext,
): Move {
  // It can only mean the connection that is going down, and has been overtaken by its end.
  if (at.tearingDown) return unchanged(snapshot);
  const session = connected(snapshot.session, phoneNumber, at.now);
  const login = loginOnceConnected(snapshot, at);
  if (isPairing(snapshot)) return to(snapshot, { session, login, pairing: NO_PAIRING }, [CLOSE_PAIRING]);
  return session === snapshot.session && login === snapshot.login
    ? unchanged(snapshot)
    : to(snapshot, { session, login });
}

/** Out of an error, a login that may work is taken up again like any other. */
function loginOnceConnected(snapshot: SessionSnapshot, at: TransitionContext): LoginActivity {
  const { kind } = snapshot.login;
  if ((kind !== "idle" && kind !== "failed") || snapshot.pairing.kind === "paired") return snapshot.login;
  return snapshot.link === "working" ? wait(snapshot, "UNKNOWN", at) : IDLE;
}

function onReportedDisconnected(snapshot: SessionSnapshot, reason: DropReason, at: TransitionContext): Move {
  const { login, pairing } = snapshot;
  const before = login.kind === "failed" ? toldFailure(snapshot.session, login, at.now) : snapshot.session;
  // An error alerts people; being told that it is disconnected besides must not call them off.
  const session = before.status === "error" ? before : disconnected(before, reason, at.now);
  if (pairing.kind === "none" && !hasLoginSocket(snapshot)) {
    return session === snapshot.session ? unchanged(snapshot) : to(snapshot, { session });
  }
  const isOnItsWay = login.kind === "waiting" || login.kind === "queued";
  const isWorking = snapshot.link === "working" && session.status !== "error";
  const next = isOnItsWay ? login : isWorking ? wait(snapshot, reason, at) : IDLE;
  return to(snapshot, { session, login: next, pairing: NO_PAIRING }, closing(snapshot));
}

// ── Start, and time ──────────────────────────────────────────────────────────────────────────────

/** Faults that are mended from outside, so that a restart is worth a new attempt. */
const RETRIED_AT_START: ReadonlySet<string> = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);

function onRestored(snapshot: SessionSnapshot, at: TransitionContext): Move {
  if (!isAtRest(snapshot)) return unchanged(snapshot);
  const { session } = snapshot;
  const settled = session.status === "error" && !RETRIED_AT_START.has(session.lastError.code);
  if (snapshot.link === "working" && !settled) {
    return queue({ ...snapshot, session: connecting(session, at.now) }, null, null, at);
  }
  // Nothing will ever come of `connecting` without a login to connect with: its deadline has passed.
  const rested = session.status === "connecting"
    ? disconnected(session, "TIMEOUT", at.now)
    : withoutValidQr(session, at.now);
  return rested === session ? unchanged(snapshot) : to(snapshot, { session: rested });
}

/** What the table says while nobody runs: no socket, so neither a QR to scan nor a connection. */
function onStopping(snapshot: SessionSnapshot, at: TransitionContext): Move {
  if (isAtRest(snapshot)) return unchanged(snapshot);
  return to(
    snapshot,
    { session: sessionAtRest(snapshot, at), login: IDLE, pairing: NO_PAIRING },
    closing(snapshot),
  );
}

function sessionAtRest({ session, login }: SessionSnapshot, { now }: TransitionContext): Session {
  if (login.kind === "failed") return toldFailure(session, login, now);
  return session.status === "connecting" || session.status === "connected"
    ? disconnected(session, "NETWORK", now)
    : withoutValidQr(session, now);
}

function onTick(snapshot: SessionSnapshot, at: TransitionContext): Move {
  const { pairing } = snapshot;
  if (pairing.kind === "none" || at.steady < pairing.deadline) return onLoginTick(snapshot, at);
  return pairing.kind === "showing"
    ? endPairing(snapshot, false, at, [CLOSE_PAIRING])
    : drop({ ...snapshot, pairing: NO_PAIRING }, "TIMEOUT", at, [CLOSE_PAIRING]);
}

function onLoginTick(snapshot: SessionSnapshot, at: TransitionContext): Move {
  const { login } = snapshot;
  switch (login.kind) {
    case "queued":
      return at.steady < login.deadline ? unchanged(snapshot) : onQueueTimeout(snapshot, login, at);
    case "login":
      return at.steady < login.deadline ? unchanged(snapshot) : drop(snapshot, "TIMEOUT", at, [CLOSE_LOGIN]);
    case "open":
      return at.steady < login.stableAt || login.failures === null
        ? unchanged(snapshot)
        : to(snapshot, { login: { ...login, failures: null } });
    case "waiting":
      return at.steady < login.until
        ? unchanged(snapshot)
        : queue(snapshot, login.failures, login.reason, at);
    case "idle":
    case "failed":
      return unchanged(snapshot);
    default:
      return login satisfies never;
  }
}

/** It is told as what it is by now, and asks again: its turn may have been lost. */
function onQueueTimeout(
  snapshot: SessionSnapshot,
  { failures, reason }: Extract<SessionSnapshot["login"], { kind: "queued" }>,
  at: TransitionContext,
): Move {
  const session = snapshot.session.status === "connecting"
    ? disconnected(snapshot.session, "TIMEOUT", at.now)
    : snapshot.session;
  return queue({ ...snapshot, session }, failures, reason ?? "TIMEOUT", at);
}
