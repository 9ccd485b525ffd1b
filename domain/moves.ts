/**
 * The moves of which transitions are made: a life becomes another, and something has to be done.
 * @module
 */
import { backoff } from "./backoff.ts";
import { connecting, disconnected, failed } from "./changes.ts";
import type { Effect } from "./events.ts";
import { hasSocket, type Life, type Policy } from "./life.ts";
import type { DisconnectReason, FaultCode } from "./names.ts";
import type { Instant } from "./session.ts";

/** The world at the moment of an event; the domain asks no clock and throws no dice. */
export interface Circumstances {
  /** Milliseconds. */
  readonly now: Instant;
  /** In [0, 1); spreads retries. */
  readonly random: number;
  readonly policy: Policy;
}

/** The next life, and what has to be done. `life` is the very same object when the event concerns nobody. */
export interface Transition {
  readonly life: Life;
  readonly effects: readonly Effect[];
}

export const CLOSE: Effect = { type: "close_socket", unlink: false };

/** Nothing to do. */
export function unchanged(life: Life): Transition {
  return { life, effects: [] };
}

/** The life with this change, and what has to be done. */
export function to(life: Life, change: Partial<Life>, effects: readonly Effect[] = []): Transition {
  return { life: { ...life, ...change }, effects };
}

/** Closes the socket where there is one. */
export function closing(life: Life): Effect[] {
  return hasSocket(life.activity) ? [CLOSE] : [];
}

/** Whether the socket at work is one that logs in, or has logged in, with the stored credentials. */
export function usesCredentials({ activity }: Life): boolean {
  return activity.kind === "login" || activity.kind === "open";
}

/** How many attempts in a row have failed so far. */
export function attemptsOf({ activity }: Life): number {
  return "attempt" in activity ? activity.attempt : 0;
}

/** Opens a socket with the stored credentials. */
export function login(life: Life, attempt: number, at: Circumstances): Transition {
  return to(life, {
    session: connecting(life.session, at.now),
    activity: { kind: "login", attempt, deadline: at.now + at.policy.loginMs },
  }, [{ type: "open_login_socket" }]);
}

/** Waits before the next attempt: capped exponential backoff, full jitter. */
export function wait(life: Life, at: Circumstances, effects: readonly Effect[] = []): Transition {
  const attempt = attemptsOf(life) + 1;
  const until = at.now + backoff(attempt, at.random, at.policy.backoff);
  return to(life, { activity: { kind: "waiting", attempt, until } }, effects);
}

/** What a session does once its socket is gone: it comes back where its login works, and rests otherwise. */
export function rest(life: Life, at: Circumstances, effects: readonly Effect[]): Transition {
  return life.link === "working" && life.session.status !== "error"
    ? wait(life, at, effects)
    : to(life, { activity: { kind: "idle" } }, effects);
}

/** A drop with credentials that still work: disconnected, and on the way back. */
export function drop(
  life: Life,
  reason: DisconnectReason,
  at: Circumstances,
  effects: readonly Effect[] = [],
): Transition {
  return wait({ ...life, session: disconnected(life.session, reason, at.now) }, at, effects);
}

/**
 * The login is gone, and so is everything that belonged to it.
 * @param close what closes the socket; worked out from the activity when it is not given
 */
export function logOut(life: Life, at: Circumstances, close?: readonly Effect[]): Transition {
  const session = disconnected(life.session, "LOGOUT", at.now);
  // Only a socket that is logged in, or about to be, has a device to unlink.
  const unlink = usesCredentials(life);
  const effects = [
    ...(close ?? (hasSocket(life.activity) ? [{ type: "close_socket", unlink } as const] : [])),
  ];
  if (life.link !== "none") effects.push({ type: "erase_credentials" });
  if (session === life.session && life.link === "none" && life.activity.kind === "idle") {
    return unchanged(life);
  }
  return to(life, { session, link: "none", activity: { kind: "idle" } }, effects);
}

/** Faults after which the stored login must not be used again without a human. */
const SUSPENDING: ReadonlySet<FaultCode> = new Set([
  "LOGGED_IN_ELSEWHERE",
  "ACCOUNT_FORBIDDEN",
  "MULTIDEVICE_MISMATCH",
]);

/** The session is in `error`; `close` as in {@link logOut}, `rival` as in {@link failed}. */
export function fail(
  life: Life,
  code: FaultCode,
  at: Circumstances,
  { close = closing(life), rival = null }: { close?: readonly Effect[]; rival?: string | null } = {},
): Transition {
  const session = failed(life.session, code, rival, at.now);
  // What a pairing socket is told does not concern the login that was there before.
  const suspend = life.link === "working" && life.activity.kind !== "pairing" && SUSPENDING.has(code);
  return to(life, { session, link: suspend ? "suspended" : life.link, activity: { kind: "idle" } }, [
    ...close,
    ...(suspend ? [{ type: "suspend_credentials" } as const] : []),
  ]);
}
