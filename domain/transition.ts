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
  type Life,
  type LoginActivity,
  NO_PAIRING,
} from "./life.ts";
import {
  type Circumstances,
  CLOSE_LOGIN,
  CLOSE_PAIRING,
  closing,
  drop,
  endPairing,
  failLogin,
  logOut,
  loseLogin,
  type Move,
  openLogin,
  queue,
  to,
  toldFailure,
  troubleOf,
  unchanged,
  wait,
} from "./moves.ts";
import type { FaultCode } from "@session-manager/contract";
import { asOf, expire, generateQr, isValid, withoutValidQr } from "./qr.ts";
import { become, type Session } from "./session.ts";

/** What an event leads to. */
export interface Transition {
  /** The next snapshot; the very same object when the event changes nothing. */
  readonly snapshot: Life;
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
export function transition(before: Life, event: SessionEvent, at: Circumstances): Transition {
  const { life, credentials, effects } = move(before, event, at);
  return { snapshot: life, credentials, events: domainEvents(before.session, life.session), effects };
}

function move(before: Life, event: SessionEvent, at: Circumstances): Move {
  const session = asOf(before.session, at.now);
  const life = session === before.session ? before : { ...before, session };
  switch (event.type) {
    case "qr_requested":
      return onQrRequested(life, at);
    case "qr":
      return onQr(life, event, at);
    case "paired":
      return onPaired(life, event, at);
    case "passkey_demanded":
      return isPairing(life) ? refusePairing(life, "PASSKEY_REQUIRED", at, [CLOSE_PAIRING]) : unchanged(life);
    case "admitted":
      return life.login.kind === "queued" ? openLogin(life, life.login.trouble, at) : unchanged(life);
    case "connected":
      return event.source === "socket"
        ? onSocketConnected(life, event.phoneNumber, at)
        : onReportedConnected(life, event.phoneNumber, at);
    case "disconnected":
      return event.reason === "LOGOUT" ? logOut(life, at) : onReportedDisconnected(life, event.reason, at);
    case "pairing_closed":
      return onPairingClosed(life, judge(event.cause), at);
    case "login_closed":
      return hasLoginSocket(life)
        ? onLoginLost(life, judge(event.cause), event.rival ?? null, at)
        : unchanged(life);
    case "credentials_unreadable":
      return hasLoginSocket(life)
        ? failLogin(life, "CREDENTIALS_UNREADABLE", null, at, [CLOSE_LOGIN])
        : unchanged(life);
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

function onQrRequested(life: Life, at: Circumstances): Move {
  const { status } = life.session;
  if (status === "connecting" || status === "connected" || hasPairingSocket(life)) return unchanged(life);
  const deadline = at.steady + at.policy.firstQrMs;
  return to(life, { pairing: { kind: "showing", deadline } }, [{ type: "open_pairing_socket" }]);
}

function onQr(life: Life, shown: Extract<SessionEvent, { type: "qr" }>, at: Circumstances): Move {
  if (!isPairing(life)) return unchanged(life);
  const fresh = generateQr(shown.string, shown.ordinal, shown.generatedAt, at.policy.qrLife);
  // The news may come so late that nobody can scan it any more.
  const qr = isValid(fresh, at.now) ? fresh : expire(fresh);
  // No longer than it lives, should the wall clock have been set back meanwhile.
  const leftMs = Math.min(Math.max(0, fresh.expiresAt - at.now), fresh.expiresAt - fresh.generatedAt);
  // Out of an error, a login that may work again is taken up beside the QR.
  const login = life.link === "working" && life.login.kind === "idle"
    ? wait(life, "UNKNOWN", at)
    : life.login;
  return to(life, {
    session: become(life.session, at.now, { status: "qr_required", qr, lastError: null }),
    login,
    pairing: { kind: "showing", deadline: at.steady + leftMs + at.policy.nextQrMs },
  });
}

/** The scan is accepted: from now on the new login counts, and the old one is held until it has proved itself. */
function onPaired(
  life: Life,
  { credentials, keys }: Extract<SessionEvent, { type: "paired" }>,
  at: Circumstances,
): Move {
  if (!isPairing(life)) return unchanged(life);
  const paired = to(life, {
    session: become(life.session, at.now, { status: "connecting", qr: used(life.session), lastError: null }),
    link: "working",
    predecessor: life.predecessor || life.link === "working",
    login: IDLE,
    pairing: { kind: "paired", deadline: at.steady + at.policy.restartMs },
  }, hasLoginSocket(life) ? [CLOSE_LOGIN] : []);
  return { ...paired, credentials: { kind: "adopt", credentials, keys, retiredId: at.retiredId } };
}

/** WhatsApp refuses to pair: an error of the session only where no login works. */
function refusePairing(
  life: Life,
  code: FaultCode,
  at: Circumstances,
  effects: readonly Effect[] = [],
): Move {
  if (isLoginWorking(life)) return endPairing(life, true, at, effects);
  const session = failed(life.session, code, null, at.now);
  return to(life, { session, login: IDLE, pairing: NO_PAIRING }, effects);
}

function onPairingClosed(life: Life, verdict: Verdict, at: Circumstances): Move {
  switch (life.pairing.kind) {
    case "none":
      return unchanged(life);
    case "showing":
      return verdict.kind === "unrecoverable"
        ? refusePairing(life, verdict.code, at)
        : endPairing(life, false, at);
    case "paired": {
      const scanned = { ...life, pairing: NO_PAIRING };
      // The socket that paired always ends; the pairing goes on with the login, whatever ended it.
      return verdict.kind === "retry" || verdict.kind === "restart"
        ? openLogin(scanned, null, at)
        : onLoginLost(scanned, verdict, null, at);
    }
    default:
      return life.pairing satisfies never;
  }
}

// ── The login ────────────────────────────────────────────────────────────────────────────────────

function onSocketConnected(life: Life, phoneNumber: string | null, at: Circumstances): Move {
  if (life.login.kind !== "login") return unchanged(life);
  const open = to(
    life,
    {
      session: connected(life.session, phoneNumber, at.now),
      predecessor: false,
      login: { kind: "open", trouble: life.login.trouble, stableAt: at.steady + at.policy.stableMs },
      pairing: NO_PAIRING,
    },
    // It was not needed: nobody has scanned.
    hasPairingSocket(life) ? [CLOSE_PAIRING] : [],
  );
  return { ...open, credentials: life.predecessor ? { kind: "confirm" } : KEEP };
}

function onLoginLost(life: Life, verdict: Verdict, rival: string | null, at: Circumstances): Move {
  switch (verdict.kind) {
    case "restart":
      // Asked of a connection that had held, it is obeyed immediately; asked again and again, or in the middle of
      // the login, it has to wait like every other failure, or it could go on for ever.
      return life.login.kind === "open" && troubleOf(life) === null
        ? openLogin(life, { attempts: 1, since: at.steady }, at)
        : drop(life, "UNKNOWN", at);
    case "logged_out":
      return loseLogin(life, at);
    case "unrecoverable":
      return failLogin(life, verdict.code, rival, at);
    case "retry":
      return drop(life, verdict.reason, at);
    default:
      return verdict satisfies never;
  }
}

// ── Internal events ──────────────────────────────────────────────────────────────────────────────

function onReportedConnected(life: Life, phoneNumber: string | null, at: Circumstances): Move {
  // It can only mean the connection that is going down, and has been overtaken by its end.
  if (at.tearingDown) return unchanged(life);
  const session = connected(life.session, phoneNumber, at.now);
  const login = loginOnceConnected(life, at);
  if (isPairing(life)) return to(life, { session, login, pairing: NO_PAIRING }, [CLOSE_PAIRING]);
  return session === life.session && login === life.login ? unchanged(life) : to(life, { session, login });
}

/** Out of an error, a login that may work is taken up again like any other. */
function loginOnceConnected(life: Life, at: Circumstances): LoginActivity {
  const { kind } = life.login;
  if ((kind !== "idle" && kind !== "failed") || life.pairing.kind === "paired") return life.login;
  return life.link === "working" ? wait(life, "UNKNOWN", at) : IDLE;
}

function onReportedDisconnected(life: Life, reason: DropReason, at: Circumstances): Move {
  const { login, pairing } = life;
  const before = login.kind === "failed" ? toldFailure(life.session, login, at.now) : life.session;
  // An error alerts people; being told that it is disconnected besides must not call them off.
  const session = before.status === "error" ? before : disconnected(before, reason, at.now);
  if (pairing.kind === "none" && !hasLoginSocket(life)) {
    return session === life.session ? unchanged(life) : to(life, { session });
  }
  const isOnItsWay = login.kind === "waiting" || login.kind === "queued";
  const isWorking = life.link === "working" && session.status !== "error";
  const next = isOnItsWay ? login : isWorking ? wait(life, reason, at) : IDLE;
  return to(life, { session, login: next, pairing: NO_PAIRING }, closing(life));
}

// ── Start, and time ──────────────────────────────────────────────────────────────────────────────

/** Faults that are mended from outside, so that a restart is worth a new attempt. */
const RETRIED_AT_START: ReadonlySet<string> = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);

function onRestored(life: Life, at: Circumstances): Move {
  if (!isAtRest(life)) return unchanged(life);
  const { session } = life;
  const settled = session.status === "error" && !RETRIED_AT_START.has(session.lastError.code);
  if (life.link === "working" && !settled) {
    return queue({ ...life, session: connecting(session, at.now) }, null, null, at);
  }
  // Nothing will ever come of `connecting` without a login to connect with: its deadline has passed.
  const rested = session.status === "connecting"
    ? disconnected(session, "TIMEOUT", at.now)
    : withoutValidQr(session, at.now);
  return rested === session ? unchanged(life) : to(life, { session: rested });
}

/** What the table says while nobody runs: no socket, so neither a QR to scan nor a connection. */
function onStopping(life: Life, at: Circumstances): Move {
  if (isAtRest(life)) return unchanged(life);
  return to(life, { session: sessionAtRest(life, at), login: IDLE, pairing: NO_PAIRING }, closing(life));
}

function sessionAtRest({ session, login }: Life, { now }: Circumstances): Session {
  if (login.kind === "failed") return toldFailure(session, login, now);
  return session.status === "connecting" || session.status === "connected"
    ? disconnected(session, "NETWORK", now)
    : withoutValidQr(session, now);
}

function onTick(life: Life, at: Circumstances): Move {
  const { pairing } = life;
  if (pairing.kind === "none" || at.steady < pairing.deadline) return onLoginTick(life, at);
  return pairing.kind === "showing"
    ? endPairing(life, false, at, [CLOSE_PAIRING])
    : drop({ ...life, pairing: NO_PAIRING }, "TIMEOUT", at, [CLOSE_PAIRING]);
}

function onLoginTick(life: Life, at: Circumstances): Move {
  const { login } = life;
  switch (login.kind) {
    case "queued":
      return at.steady < login.deadline ? unchanged(life) : onQueueTimeout(life, login, at);
    case "login":
      return at.steady < login.deadline ? unchanged(life) : drop(life, "TIMEOUT", at, [CLOSE_LOGIN]);
    case "open":
      return at.steady < login.stableAt || login.trouble === null
        ? unchanged(life)
        : to(life, { login: { ...login, trouble: null } });
    case "waiting":
      return at.steady < login.until ? unchanged(life) : queue(life, login.trouble, login.reason, at);
    case "idle":
    case "failed":
      return unchanged(life);
    default:
      return login satisfies never;
  }
}

/** It is told as what it is by now, and asks again: its turn may have been lost. */
function onQueueTimeout(
  life: Life,
  { trouble, reason }: Extract<Life["login"], { kind: "queued" }>,
  at: Circumstances,
): Move {
  const session = life.session.status === "connecting"
    ? disconnected(life.session, "TIMEOUT", at.now)
    : life.session;
  return queue({ ...life, session }, trouble, reason ?? "TIMEOUT", at);
}
