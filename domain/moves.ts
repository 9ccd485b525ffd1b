/**
 * The moves of which transitions are made: a snapshot becomes another, and something has to be done.
 *
 * While a QR is shown, the session shows its pairing, whatever its login does meanwhile;
 * `told` and `toldAsConnecting` are the places that know this.
 * @module
 */
import { backoff } from "./backoff.ts";
import { connecting, disconnected, failed } from "./changes.ts";
import { type CredentialsChange, KEEP } from "./credentials.ts";
import type { Effect } from "./events.ts";
import {
  type DropReason,
  type FailureStreak,
  hasLoginSocket,
  hasPairingSocket,
  IDLE,
  isPairing,
  type LoginActivity,
  type Moment,
  NO_PAIRING,
  type Policy,
  type SessionSnapshot,
} from "./snapshot.ts";
import type { FaultCode } from "@session-manager/contract";
import { withoutValidQr } from "./qr.ts";
import type { Instant, Session } from "./session.ts";

/** The world at the moment of an event; the domain asks no clock and throws no dice. */
export interface TransitionContext extends Moment {
  /** In [0, 1); spreads retries. */
  readonly random: number;
  /** Whether the connection of a login's socket that is over is still going down. */
  readonly tearingDown: boolean;
  /** A new id, for a login that this event may retire. */
  readonly retiredId: string;
  readonly policy: Policy;
}

/**
 * What an event leads to, without the domain events, which follow from it. `snapshot` is the very same object when the
 * event concerns nobody.
 */
export interface Move {
  readonly snapshot: SessionSnapshot;
  readonly credentials: CredentialsChange;
  readonly effects: readonly Effect[];
}

/** Closes the pairing socket. */
export const CLOSE_PAIRING: Effect = { type: "close_pairing_socket" };

/** Closes the login's socket; its device stays linked. */
export const CLOSE_LOGIN: Effect = { type: "close_login_socket", unlink: false };

/** Nothing to do. */
export function unchanged(snapshot: SessionSnapshot): Move {
  return { snapshot, credentials: KEEP, effects: [] };
}

/** The snapshot with this change, and what has to be done; the credentials stay. */
export function to(
  snapshot: SessionSnapshot,
  change: Partial<SessionSnapshot>,
  effects: readonly Effect[] = [],
): Move {
  return { snapshot: { ...snapshot, ...change }, credentials: KEEP, effects };
}

/** Closes the sockets that there are. */
export function closing(snapshot: SessionSnapshot): Effect[] {
  return [
    ...(hasPairingSocket(snapshot) ? [CLOSE_PAIRING] : []),
    ...(hasLoginSocket(snapshot) ? [CLOSE_LOGIN] : []),
  ];
}

/** True when the session shows its QR and not its login. */
function isToldAsQr(snapshot: SessionSnapshot): boolean {
  return isPairing(snapshot) && snapshot.session.status === "qr_required";
}

/** The session as it is told once its login has changed. */
function told(snapshot: SessionSnapshot, change: (session: Session) => Session): Session {
  return isToldAsQr(snapshot) ? snapshot.session : change(snapshot.session);
}

/** The same for an attempt to log in: beside a QR that is still to come, it would be told as nothing to scan. */
function toldAsConnecting(snapshot: SessionSnapshot, { now }: Moment): Session {
  return isPairing(snapshot) ? snapshot.session : connecting(snapshot.session, now);
}

/** The failures in a row so far. */
export function failuresOf({ login }: SessionSnapshot): FailureStreak | null {
  return "failures" in login ? login.failures : null;
}

/** Opens a socket with the stored credentials. */
export function openLogin(
  snapshot: SessionSnapshot,
  failures: FailureStreak | null,
  at: TransitionContext,
): Move {
  return to(snapshot, {
    session: toldAsConnecting(snapshot, at),
    login: { kind: "login", failures, deadline: at.steady + at.policy.loginMs },
  }, [{ type: "open_login_socket" }]);
}

/** Asks for a turn to log in. */
export function queue(
  snapshot: SessionSnapshot,
  failures: FailureStreak | null,
  reason: DropReason | null,
  at: TransitionContext,
): Move {
  const login = { kind: "queued", failures, reason, deadline: at.steady + at.policy.queueMs } as const;
  return to(snapshot, { login }, [{ type: "ask_admission" }]);
}

/** Waits before the next attempt. */
export function wait(snapshot: SessionSnapshot, reason: DropReason, at: TransitionContext): LoginActivity {
  const before = failuresOf(snapshot);
  const failures = { attempts: (before?.attempts ?? 0) + 1, since: before?.since ?? at.steady };
  const waitMs = backoff(failures.attempts, at.steady - failures.since, at.random, at.policy.backoff);
  return { kind: "waiting", failures, reason, until: at.steady + waitMs };
}

/** A drop with credentials that still work: disconnected, and on the way back. */
export function drop(
  snapshot: SessionSnapshot,
  reason: DropReason,
  at: TransitionContext,
  effects: readonly Effect[] = [],
): Move {
  const session = told(snapshot, (session) => disconnected(session, reason, at.now));
  return to(snapshot, { session, login: wait(snapshot, reason, at) }, effects);
}

/**
 * An internal event ends the login: everything that belonged to it goes, and its
 * device is unlinked at WhatsApp.
 */
export function logOut(snapshot: SessionSnapshot, at: TransitionContext): Move {
  const session = disconnected(snapshot.session, "LOGOUT", at.now);
  const had = snapshot.link !== "none" || snapshot.predecessor;
  const effects: Effect[] = [
    ...(hasPairingSocket(snapshot) ? [CLOSE_PAIRING] : []),
    ...(hasLoginSocket(snapshot) ? [{ type: "close_login_socket", unlink: true } as const] : []),
  ];
  const isOver = snapshot.login.kind === "idle" && snapshot.pairing.kind === "none";
  if (session === snapshot.session && !had && isOver) return unchanged(snapshot);
  return {
    snapshot: { ...snapshot, session, link: "none", predecessor: false, login: IDLE, pairing: NO_PAIRING },
    credentials: had ? { kind: "retire", retiredId: at.retiredId } : KEEP,
    effects,
  };
}

/**
 * The login that was to replace another one cannot: the other is taken up again.
 * @param retire whether WhatsApp may have a device of the new login, for nobody else to use
 */
function takeUpPredecessor(snapshot: SessionSnapshot, retire: boolean, at: TransitionContext): Move {
  const back = {
    ...snapshot,
    link: "working",
    predecessor: false,
    session: toldAsConnecting(snapshot, at),
  } as const;
  return {
    ...queue(back, null, null, at),
    credentials: { kind: "revert", retiredId: retire ? at.retiredId : null },
  };
}

/** WhatsApp says that there is no such login: the one that it was to replace is taken up again, if any. */
export function loseLogin(snapshot: SessionSnapshot, at: TransitionContext): Move {
  if (snapshot.predecessor) return takeUpPredecessor(snapshot, false, at);
  const lost = to(snapshot, {
    session: told(snapshot, (session) => disconnected(session, "LOGOUT", at.now)),
    link: "none",
    login: isToldAsQr(snapshot) ? { kind: "failed", code: "LOGOUT", rival: null } : IDLE,
  });
  return { ...lost, credentials: { kind: "erase" } };
}

/** Faults after which the stored login must not be used again without a human. */
const SUSPENDING: ReadonlySet<FaultCode> = new Set([
  "LOGGED_IN_ELSEWHERE",
  "ACCOUNT_FORBIDDEN",
  "MULTIDEVICE_MISMATCH",
]);

/**
 * The login cannot go on without a human: `error`, told once no QR is shown any more. One that has never logged in
 * has replaced nothing yet: the login that it was to replace is taken up again, if any.
 * @param rival another session of this system that uses the same login
 * @param effects what closes the socket, where it is not closed already
 */
export function failLogin(
  snapshot: SessionSnapshot,
  code: FaultCode,
  rival: string | null,
  at: TransitionContext,
  effects: readonly Effect[] = [],
): Move {
  const contested = code === "LOGGED_IN_ELSEWHERE";
  if (snapshot.predecessor && SUSPENDING.has(code)) return takeUpPredecessor(snapshot, !contested, at);
  const suspend = snapshot.link === "working" && SUSPENDING.has(code);
  const login: LoginActivity = isToldAsQr(snapshot) ? { kind: "failed", code, rival } : IDLE;
  const session = told(snapshot, (session) => failed(session, code, rival, at.now));
  return {
    snapshot: { ...snapshot, session, link: suspend ? "suspended" : snapshot.link, login },
    credentials: suspend ? { kind: "suspend", contested } : KEEP,
    effects,
  };
}

/** What has become of a login beside a QR, once that is over. */
export function toldFailure(
  session: Session,
  { code, rival }: Extract<LoginActivity, { kind: "failed" }>,
  now: Instant,
): Session {
  return code === "LOGOUT" ? disconnected(session, code, now) : failed(session, code, rival, now);
}

/**
 * The pairing is over and nobody has scanned: the session shows what its login is doing.
 * @param isRefused whether WhatsApp refused it, so that asking again is of no use and a QR need not be mentioned
 */
export function endPairing(
  snapshot: SessionSnapshot,
  isRefused: boolean,
  at: TransitionContext,
  effects: readonly Effect[] = [],
): Move {
  const login: LoginActivity = snapshot.login.kind === "failed" ? IDLE : snapshot.login;
  const session = withoutPairing(snapshot, isRefused, at);
  return to(snapshot, { session, login, pairing: NO_PAIRING }, effects);
}

function withoutPairing(
  { session, login }: SessionSnapshot,
  isRefused: boolean,
  { now }: TransitionContext,
): Session {
  switch (login.kind) {
    case "login":
      return connecting(session, now);
    case "failed":
      return toldFailure(session, login, now);
    case "waiting":
    case "queued": {
      // One that ran out has left an expired QR to tell of until the login moves on.
      const tellsDrop = isRefused && session.status === "qr_required" && login.reason !== null;
      return tellsDrop ? disconnected(session, login.reason, now) : withoutValidQr(session, now);
    }
    case "idle":
    case "open":
      // A session still in `error` never showed a QR: its way out has not been taken, so it stays.
      return withoutValidQr(session, now);
    default:
      return login satisfies never;
  }
}
