/**
 * A start, a stop, and time that passes.
 *
 * Source: decisions, "After a restart".
 * @module
 */
import { connecting, disconnected } from "./changes.ts";
import {
  CLOSE_LOGIN,
  CLOSE_PAIRING,
  closing,
  drop,
  endPairing,
  type Move,
  queue,
  to,
  toldFailure,
  type TransitionContext,
  unchanged,
} from "./moves.ts";
import { withoutValidQr } from "./qr.ts";
import type { Session } from "./session.ts";
import { IDLE, isAtRest, NO_PAIRING, type SessionSnapshot } from "./snapshot.ts";

/** Faults that are mended from outside, so that a restart is worth a new attempt. */
const RETRIED_AT_START: ReadonlySet<string> = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);

/** The service starts and finds the session in its store. */
export function onRestored(snapshot: SessionSnapshot, at: TransitionContext): Move {
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
export function onStopping(snapshot: SessionSnapshot, at: TransitionContext): Move {
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

/** Time has passed: whatever is due happens. */
export function onTick(snapshot: SessionSnapshot, at: TransitionContext): Move {
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

/** The session shows what it is by now, and asks for admission again: its turn may have been lost. */
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
