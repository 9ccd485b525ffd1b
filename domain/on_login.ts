/**
 * What happens to a login's connection: it succeeds, or is lost.
 *
 * Source: decisions, "Transitions".
 * @module
 */
import { connected } from "./changes.ts";
import { KEEP } from "./credentials.ts";
import type { Verdict } from "./disconnect.ts";
import {
  CLOSE_PAIRING,
  drop,
  failLogin,
  failuresOf,
  loseLogin,
  type Move,
  openLogin,
  to,
  type TransitionContext,
  unchanged,
} from "./moves.ts";
import { hasPairingSocket, NO_PAIRING, type SessionSnapshot } from "./snapshot.ts";

/** The login's socket is logged in. */
export function onSocketConnected(
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

/** The login's socket ended; `rival` is another session that uses the same login. */
export function onLoginLost(
  snapshot: SessionSnapshot,
  verdict: Verdict,
  rival: string | null,
  at: TransitionContext,
): Move {
  switch (verdict.kind) {
    case "restart":
      // Asked of a connection that had held, it is obeyed immediately; asked again and again, or in the middle of
      // the login, it has to wait like every other failure, or it could go on without end.
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
