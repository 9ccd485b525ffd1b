/**
 * The one function through which every change of a session goes, wherever it comes from.
 *
 * Source: decisions, "Transitions", "The QR", "Internal events", "After a restart".
 * @module
 */
import { connected, connecting, disconnected, used } from "./changes.ts";
import { judge, type Verdict } from "./disconnect.ts";
import type { Effect, SessionEvent } from "./events.ts";
import { hasSocket, type Life } from "./life.ts";
import {
  attemptsOf,
  type Circumstances,
  CLOSE,
  closing,
  drop,
  fail,
  login,
  logOut,
  rest,
  to,
  type Transition,
  unchanged,
  usesCredentials,
  wait,
} from "./moves.ts";
import type { DisconnectReason } from "./names.ts";
import { asOf, expire, generateQr, isValid, withoutValidQr } from "./qr.ts";
import { become } from "./session.ts";

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
      return onClosed(life, event, at);
    case "credentials_unreadable":
      return usesCredentials(life) ? fail(life, "CREDENTIALS_UNREADABLE", at) : unchanged(life);
    case "restored":
      return onRestored(life, at);
    case "stopping":
      return onStopping(life, at);
    case "tick":
      return onTick(life, at);
    default:
      return event satisfies never;
  }
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
  const fresh = generateQr(shown.string, shown.ordinal, shown.generatedAt, at.policy.qrLife);
  // The news may come so late that nobody can scan it any more.
  const qr = isValid(fresh, at.now) ? fresh : expire(fresh);
  return to(life, {
    session: become(life.session, at.now, { status: "qr_required", qr, lastError: null }),
    activity: { kind: "pairing", deadline: fresh.expiresAt + at.policy.nextQrMs },
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
  // A session still in `error` never showed a QR: its way out has not been taken, so it stays.
  return rest({ ...life, session: withoutValidQr(life.session, at.now) }, at, []);
}

function onSocketConnected(life: Life, phoneNumber: string | null, at: Circumstances): Transition {
  if (life.activity.kind !== "login") return unchanged(life);
  return to(life, {
    session: connected(life.session, phoneNumber, at.now),
    activity: { kind: "open", attempt: life.activity.attempt, stableAt: at.now + at.policy.stableMs },
  });
}

// ── The connection ───────────────────────────────────────────────────────────────────────────────

function onClosed(
  life: Life,
  { cause, rival = null }: Extract<SessionEvent, { type: "closed" }>,
  at: Circumstances,
): Transition {
  const verdict = judge(cause);
  switch (life.activity.kind) {
    case "pairing":
      return verdict.kind === "unrecoverable"
        ? fail(life, verdict.code, at, { close: [] })
        : endPairing(life, at);
    case "paired":
      // The socket that paired always ends; the pairing goes on with the login, whatever ended it.
      return verdict.kind === "retry" || verdict.kind === "restart"
        ? login(life, 0, at)
        : onLoginLost(life, verdict, rival, at);
    case "login":
    case "open":
      return onLoginLost(life, verdict, rival, at);
    case "idle":
    case "queued":
    case "waiting":
      return unchanged(life);
    default:
      return life.activity satisfies never;
  }
}

function onLoginLost(life: Life, verdict: Verdict, rival: string | null, at: Circumstances): Transition {
  switch (verdict.kind) {
    case "restart":
      // Asked of a connection that had held, it is obeyed at once; asked again and again, or in the middle of
      // the login, it has to wait like every other failure, or it could go on for ever.
      return life.activity.kind === "open" && attemptsOf(life) === 0
        ? login(life, 1, at)
        : drop(life, "UNKNOWN", at);
    case "logged_out":
      return logOut(life, at, []);
    case "unrecoverable":
      return fail(life, verdict.code, at, { close: [], rival });
    case "retry":
      return drop(life, verdict.reason, at);
    default:
      return verdict satisfies never;
  }
}

// ── Words from trusted parts of the system ───────────────────────────────────────────────────────

function onReportedConnected(life: Life, phoneNumber: string | null, at: Circumstances): Transition {
  const next = { ...life, session: connected(life.session, phoneNumber, at.now) };
  switch (life.activity.kind) {
    case "pairing":
      return rest(next, at, [CLOSE]);
    case "idle":
      // Out of an error, a login that works is taken up again like any other.
      return life.link === "working" ? wait(next, at) : sameOr(life, next);
    default:
      return sameOr(life, next);
  }
}

function sameOr(life: Life, next: Life): Transition {
  return next.session === life.session ? unchanged(life) : unchanged(next);
}

function onReportedDisconnected(
  life: Life,
  reason: Exclude<DisconnectReason, "LOGOUT">,
  at: Circumstances,
): Transition {
  // An error alerts people; being told that it is disconnected besides must not call them off.
  const session = life.session.status === "error" ? life.session : disconnected(life.session, reason, at.now);
  const next = { ...life, session };
  return hasSocket(life.activity) ? rest(next, at, [CLOSE]) : sameOr(life, next);
}

// ── Start, and time ──────────────────────────────────────────────────────────────────────────────

/** Faults that are mended from outside, so that a restart is worth a new attempt. */
const RETRIED_AT_START: ReadonlySet<string> = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);

function onRestored(life: Life, at: Circumstances): Transition {
  if (life.activity.kind !== "idle") return unchanged(life);
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

/** What the table says while nobody runs: no socket, so neither a QR to scan nor a connection. */
function onStopping(life: Life, at: Circumstances): Transition {
  if (life.activity.kind === "idle") return unchanged(life);
  const { status } = life.session;
  const session = status === "connecting" || status === "connected"
    ? disconnected(life.session, "NETWORK", at.now)
    : withoutValidQr(life.session, at.now);
  return to(life, { session, activity: { kind: "idle" } }, closing(life));
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
