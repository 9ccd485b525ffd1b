/**
 * The one function through which every change of a session goes, wherever it comes from.
 *
 * Source: decisions, "Transitions", "The QR", "Internal events", "After a restart".
 * @module
 */
import { backoff } from "./backoff.ts";
import { type DisconnectCause, judge, type Verdict } from "./disconnect.ts";
import { lastErrorOf } from "./errors.ts";
import type { Effect, SessionEvent } from "./events.ts";
import { hasSocket, type Life, type Policy } from "./life.ts";
import type { DisconnectReason, FaultCode } from "./names.ts";
import { asOf, generateQr, spend, withoutValidQr } from "./qr.ts";
import { become, type Instant, type NoQr, type Session, type UsedQr } from "./session.ts";

/** The world at the moment of an event; the domain asks no clock and throws no dice. */
export interface Circumstances {
  /** Milliseconds. */
  readonly now: Instant;
  /** In [0, 1); spreads retries. */
  readonly random: number;
  readonly policy: Policy;
}

/** The next life, and what has to be done. `life` is the very same object when nothing changed. */
export interface Transition {
  readonly life: Life;
  readonly effects: readonly Effect[];
}

/**
 * Applies one event. Total: every event is defined in every state; one that no longer concerns the
 * session (a socket's late word) changes nothing.
 */
export function transition(before: Life, event: SessionEvent, at: Circumstances): Transition {
  const session = asOf(before.session, at.now);
  const life = session === before.session ? before : { ...before, session };
  switch (event.type) {
    case "qr_requested":
      return onQrRequested(life, at);
    case "qr":
      return onQr(life, event, at);
    case "paired":
      return onPaired(life, at);
    case "passkey_demanded":
      return life.activity.kind === "pairing" ? fail(life, "PASSKEY_REQUIRED", at) : unchanged(life);
    case "admitted":
      return life.activity.kind === "queued" ? login(life, life.activity.attempt, at) : unchanged(life);
    case "connected":
      return event.source === "socket"
        ? onSocketConnected(life, event.phoneNumber, at)
        : onReportedConnected(life, event.phoneNumber, at);
    case "disconnected":
      return event.reason === "LOGOUT" ? logOut(life, at) : onReportedDisconnected(life, event.reason, at);
    case "closed":
      return onClosed(life, event.cause, at);
    case "credentials_unreadable":
      return fail(life, "CREDENTIALS_UNREADABLE", at);
    case "restored":
      return onRestored(life, at);
    case "tick":
      return onTick(life, at);
    default:
      return event satisfies never;
  }
}

const CLOSE: Effect = { type: "close_socket", unlink: false };

function unchanged(life: Life): Transition {
  return { life, effects: [] };
}

function to(life: Life, change: Partial<Life>, effects: readonly Effect[] = []): Transition {
  return { life: { ...life, ...change }, effects };
}

/** Closes the socket where there is one. */
function closing(life: Life): Effect[] {
  return hasSocket(life.activity) ? [CLOSE] : [];
}

/** How many attempts in a row have failed so far. */
function attemptsOf({ activity }: Life): number {
  return "attempt" in activity ? activity.attempt : 0;
}

// ── The QR ───────────────────────────────────────────────────────────────────────────────────────

function onQrRequested(life: Life, at: Circumstances): Transition {
  const { status } = life.session;
  if (status === "connecting" || status === "connected" || hasSocket(life.activity)) return unchanged(life);
  const deadline = at.now + at.policy.firstQrMs;
  return to(life, { activity: { kind: "pairing", deadline } }, [{ type: "open_pairing_socket" }]);
}

function onQr(life: Life, shown: Extract<SessionEvent, { type: "qr" }>, at: Circumstances): Transition {
  if (life.activity.kind !== "pairing") return unchanged(life);
  const qr = generateQr(shown.string, shown.ordinal, shown.generatedAt, at.policy.qrLife);
  const session = become(life.session, at.now, { status: "qr_required", qr, lastError: null });
  return to(life, {
    session: asOf(session, at.now),
    activity: { kind: "pairing", deadline: qr.expiresAt + at.policy.nextQrMs },
  });
}

function onPaired(life: Life, at: Circumstances): Transition {
  if (life.activity.kind !== "pairing") return unchanged(life);
  return to(life, {
    session: become(life.session, at.now, { status: "connecting", qr: used(life.session), lastError: null }),
    link: "working",
    activity: { kind: "paired", deadline: at.now + at.policy.restartMs },
  }, [{ type: "adopt_credentials" }]);
}

/** The pairing socket is over and nobody scanned: credentials that still work are taken up again. */
function endPairing(life: Life, at: Circumstances): Transition {
  const session = withoutValidQr(life.session, at.now);
  // A session still in `error` never showed a QR: its way out has not been taken, so it stays.
  return life.link === "working" && session.status !== "error"
    ? wait({ ...life, session }, at)
    : to(life, { session, activity: { kind: "idle" } });
}

// ── Logging in ───────────────────────────────────────────────────────────────────────────────────

/** `used`, or `none` where no QR ever linked this session. */
function used({ qr }: Session): UsedQr | NoQr {
  if (qr.status === "none") return qr;
  return { status: "used", generatedAt: qr.generatedAt, expiresAt: qr.expiresAt };
}

function connecting(session: Session, now: Instant): Session {
  return become(session, now, { status: "connecting", qr: used(session), lastError: session.lastError });
}

function login(life: Life, attempt: number, at: Circumstances): Transition {
  return to(life, {
    session: connecting(life.session, at.now),
    activity: { kind: "login", attempt, deadline: at.now + at.policy.loginMs },
  }, [{ type: "open_login_socket" }]);
}

/** Waits before the next attempt: capped exponential backoff, full jitter. */
function wait(life: Life, at: Circumstances, effects: readonly Effect[] = []): Transition {
  const attempt = attemptsOf(life) + 1;
  const until = at.now + backoff(attempt, at.random, at.policy.backoff);
  return to(life, { activity: { kind: "waiting", attempt, until } }, effects);
}

function onSocketConnected(life: Life, phoneNumber: string, at: Circumstances): Transition {
  if (life.activity.kind !== "login") return unchanged(life);
  return to(life, {
    session: connected(life.session, phoneNumber, at.now),
    activity: { kind: "open", attempt: life.activity.attempt, stableAt: at.now + at.policy.stableMs },
  });
}

function connected(session: Session, phoneNumber: string, now: Instant): Session {
  const again = session.status === "connected" && session.phoneNumber === phoneNumber;
  const qr = session.qr.status === "generated" ? used(session) : session.qr;
  return become(session, now, { status: "connected", qr, lastError: null }, {
    phoneNumber,
    connectedAt: again ? session.connectedAt : now,
    disconnectedAt: null,
  });
}

// ── Losing the connection ────────────────────────────────────────────────────────────────────────

function disconnected(session: Session, reason: DisconnectReason, now: Instant): Session {
  const lastError = lastErrorOf(reason);
  const repeated = session.status === "disconnected" && session.lastError.code === reason;
  const disconnectedAt = repeated ? session.disconnectedAt : now;
  const qr = reason === "LOGOUT" ? { status: "none" } as const : spend(session.qr);
  return become(session, now, { status: "disconnected", qr, lastError }, { disconnectedAt });
}

function onClosed(life: Life, cause: DisconnectCause, at: Circumstances): Transition {
  const verdict = judge(cause);
  switch (life.activity.kind) {
    case "pairing":
      return verdict.kind === "unrecoverable" ? fail(life, verdict.code, at, []) : endPairing(life, at);
    case "paired":
      // The socket that paired always ends; the pairing goes on with the login, whatever ended it.
      return verdict.kind === "retry" || verdict.kind === "restart"
        ? login(life, 0, at)
        : onLoginLost(life, verdict, at);
    case "login":
    case "open":
      return onLoginLost(life, verdict, at);
    case "idle":
    case "queued":
    case "waiting":
      return unchanged(life);
    default:
      return life.activity satisfies never;
  }
}

function onLoginLost(life: Life, verdict: Verdict, at: Circumstances): Transition {
  switch (verdict.kind) {
    case "restart":
      // Asked once, it is obeyed at once; asked in the middle of the login, it could go on for ever.
      return life.activity.kind === "open"
        ? login(life, attemptsOf(life) + 1, at)
        : drop(life, "UNKNOWN", at);
    case "logged_out":
      return logOut(life, at, []);
    case "unrecoverable":
      return fail(life, verdict.code, at, []);
    case "retry":
      return drop(life, verdict.reason, at);
    default:
      return verdict satisfies never;
  }
}

/** A drop with credentials that still work: disconnected, and on the way back. */
function drop(
  life: Life,
  reason: DisconnectReason,
  at: Circumstances,
  effects: readonly Effect[] = [],
): Transition {
  return wait({ ...life, session: disconnected(life.session, reason, at.now) }, at, effects);
}

function logOut(life: Life, at: Circumstances, close?: readonly Effect[]): Transition {
  const session = disconnected(life.session, "LOGOUT", at.now);
  // Only a socket that is logged in, or about to be, has a device to unlink.
  const unlink = life.activity.kind === "login" || life.activity.kind === "open";
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

function fail(life: Life, code: FaultCode, at: Circumstances, close = closing(life)): Transition {
  const state = { status: "error", qr: spend(life.session.qr), lastError: lastErrorOf(code) } as const;
  const session = become(life.session, at.now, state);
  // What a pairing socket is told does not concern the login that was there before.
  const suspend = life.link === "working" && life.activity.kind !== "pairing" && SUSPENDING.has(code);
  return to(life, { session, link: suspend ? "suspended" : life.link, activity: { kind: "idle" } }, [
    ...close,
    ...(suspend ? [{ type: "suspend_credentials" } as const] : []),
  ]);
}

// ── Words from trusted parts of the system ───────────────────────────────────────────────────────

function onReportedConnected(life: Life, phoneNumber: string, at: Circumstances): Transition {
  const next = { ...life, session: connected(life.session, phoneNumber, at.now) };
  if (life.activity.kind === "pairing") {
    return life.link === "working"
      ? wait(next, at, [CLOSE])
      : to(next, { activity: { kind: "idle" } }, [CLOSE]);
  }
  return next.session === life.session ? unchanged(life) : to(next, {});
}

function onReportedDisconnected(
  life: Life,
  reason: Exclude<DisconnectReason, "LOGOUT">,
  at: Circumstances,
): Transition {
  // An error alerts people; being told that it is disconnected besides must not call them off.
  const session = life.session.status === "error" ? life.session : disconnected(life.session, reason, at.now);
  const next = { ...life, session };
  if (!hasSocket(life.activity)) return session === life.session ? unchanged(life) : to(next, {});
  return life.link === "working" && session.status !== "error"
    ? wait(next, at, [CLOSE])
    : to(next, { activity: { kind: "idle" } }, [CLOSE]);
}

// ── Start, and time ──────────────────────────────────────────────────────────────────────────────

/** Faults that are mended from outside, so that a restart is worth a new attempt. */
const RETRIED_AT_START: ReadonlySet<string> = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);

function onRestored(life: Life, at: Circumstances): Transition {
  const { session } = life;
  const settled = session.status === "error" && !RETRIED_AT_START.has(session.lastError.code);
  if (life.link === "working" && !settled) {
    const back = { ...life, session: connecting(session, at.now) };
    return to(back, { activity: { kind: "queued", attempt: 0 } }, [{ type: "ask_admission" }]);
  }
  // Nothing will ever come of `connecting` without a login to connect with: its deadline has passed.
  const rested = session.status === "connecting"
    ? disconnected(session, "TIMEOUT", at.now)
    : withoutValidQr(session, at.now);
  return rested === session ? unchanged(life) : to(life, { session: rested });
}

function onTick(life: Life, at: Circumstances): Transition {
  const { activity } = life;
  switch (activity.kind) {
    case "pairing":
      return at.now < activity.deadline ? unchanged(life) : prepend(CLOSE, endPairing(life, at));
    case "paired":
    case "login":
      return at.now < activity.deadline ? unchanged(life) : drop(life, "TIMEOUT", at, [CLOSE]);
    case "open":
      return at.now < activity.stableAt || activity.attempt === 0
        ? unchanged(life)
        : to(life, { activity: { ...activity, attempt: 0 } });
    case "waiting":
      return at.now < activity.until
        ? unchanged(life)
        : to(life, { activity: { kind: "queued", attempt: activity.attempt } }, [{ type: "ask_admission" }]);
    case "idle":
    case "queued":
      return unchanged(life);
    default:
      return activity satisfies never;
  }
}

function prepend(effect: Effect, { life, effects }: Transition): Transition {
  return { life, effects: [effect, ...effects] };
}
