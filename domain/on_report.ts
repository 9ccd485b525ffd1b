/**
 * Internal events: other parts of the system report what became of a session.
 *
 * Source: decisions, "Internal events".
 * @module
 */
import { connected, disconnected } from "./changes.ts";
import {
  CLOSE_PAIRING,
  closing,
  type Move,
  to,
  toldFailure,
  type TransitionContext,
  unchanged,
  wait,
} from "./moves.ts";
import {
  type DropReason,
  hasLoginSocket,
  IDLE,
  isPairing,
  type LoginActivity,
  NO_PAIRING,
  type SessionSnapshot,
} from "./snapshot.ts";

/** Another part of the system says that the session is connected. */
export function onReportedConnected(
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

/** Another part of the system says that the session is disconnected, other than by LOGOUT. */
export function onReportedDisconnected(
  snapshot: SessionSnapshot,
  reason: DropReason,
  at: TransitionContext,
): Move {
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
