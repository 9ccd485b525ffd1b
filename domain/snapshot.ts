/**
 * A session under supervision: the session itself, whether its login can still be used, and what the
 * supervisor is doing for it at the moment. The login and a pairing are two connections of their own: a QR can be
 * shown while the login is on its way back.
 *
 * Source: decisions, "The QR".
 * @module
 */
import type { BackoffPolicy } from "./backoff.ts";
import type { DisconnectReason, FaultCode } from "@session-manager/contract";
import type { QrLife } from "./qr.ts";
import type { Instant, Session } from "./session.ts";

/**
 * What the stored credentials are good for: there are `none`; they are `working`; or they are
 * `suspended`, kept but not to be used without a human (WhatsApp or another client stands in the way).
 */
export type Link = "none" | "working" | "suspended";

/** Milliseconds of monotonic time: for deadlines, which no step of the wall clock may move. */
export type Steady = number;

/** Failures in a row, since a connection last held. */
export interface FailureStreak {
  readonly attempts: number;
  /** When the first of them happened. */
  readonly since: Steady;
}

/** Why a login that still works is not connected. */
export type DropReason = Exclude<DisconnectReason, "LOGOUT">;

/**
 * What is being done with the stored login. Whatever waits for something carries the moment at which the wait is
 * over, so that no state is eternal by neglect.
 */
export type LoginActivity =
  /** Nothing; no socket. */
  | { readonly kind: "idle" }
  /** Waits for its turn to log in; no socket. `reason` is the last drop's; null when there was none. */
  | {
    readonly kind: "queued";
    readonly failures: FailureStreak | null;
    readonly reason: DropReason | null;
    readonly deadline: Steady;
  }
  /** A socket is opening with the stored credentials. */
  | { readonly kind: "login"; readonly failures: FailureStreak | null; readonly deadline: Steady }
  /** The socket is logged in. `failures` is forgotten once it has held until `stableAt`. */
  | { readonly kind: "open"; readonly failures: FailureStreak | null; readonly stableAt: Steady }
  /** Waits before the next attempt; no socket. */
  | {
    readonly kind: "waiting";
    readonly failures: FailureStreak;
    readonly reason: DropReason;
    readonly until: Steady;
  }
  /** Cannot go on, or is gone. Told once the pairing beside it is over. */
  | { readonly kind: "failed"; readonly code: FaultCode | "LOGOUT"; readonly rival: string | null };

/** What is being done to link the session anew. */
export type PairingActivity =
  /** Nothing; no socket. */
  | { readonly kind: "none" }
  /** A socket for pairing is open or opening. `deadline`: by when it must have brought the next QR. */
  | { readonly kind: "showing"; readonly deadline: Steady }
  /** The scan is accepted and its login stored; the restart (515) that belongs to it is awaited. */
  | { readonly kind: "paired"; readonly deadline: Steady };

/** The value that `transition` maps to the next one. */
export interface SessionSnapshot {
  readonly session: Session;
  readonly link: Link;
  /** Whether an older login is held until the present one has logged in for the first time. */
  readonly predecessor: boolean;
  readonly login: LoginActivity;
  readonly pairing: PairingActivity;
}

/** Bounds that a transition needs, all in milliseconds. */
export interface Policy {
  readonly qrLife: QrLife;
  /** How long a pairing socket may take to its first QR; the Hub's `QR_WAIT_MS`. */
  readonly firstQrMs: number;
  /** How long after a QR's expiry its socket may take to bring the next one. */
  readonly nextQrMs: number;
  /** From the accepted pairing to the restart that belongs to it. */
  readonly restartMs: number;
  /** How long a session may be told as `connecting` while it waits for its turn. */
  readonly queueMs: number;
  /** From opening a socket with credentials to the login's success. */
  readonly loginMs: number;
  /** How long a connection has to hold before earlier failures are forgotten. */
  readonly stableMs: number;
  readonly backoff: BackoffPolicy;
}

/** The product's own bounds. */
export const DEFAULT_POLICY: Omit<Policy, "qrLife" | "firstQrMs"> = {
  nextQrMs: 5_000,
  restartMs: 20_000,
  queueMs: 120_000,
  loginMs: 60_000,
  stableMs: 60_000,
  backoff: { baseMs: 2_000, quickMs: 10_000, capMs: 300_000 },
};

/** Nothing is done for the login. */
export const IDLE: LoginActivity = { kind: "idle" };

/** No pairing is open. */
export const NO_PAIRING: PairingActivity = { kind: "none" };

/** A session as it is loaded: nobody is doing anything for it yet. */
export function atRest(session: Session, link: Link, predecessor = false): SessionSnapshot {
  return { session, link, predecessor, login: IDLE, pairing: NO_PAIRING };
}

/** Whether nothing is being done for the session. */
export function isAtRest({ login, pairing }: SessionSnapshot): boolean {
  return login.kind === "idle" && pairing.kind === "none";
}

/** Whether a QR is shown, or about to be. */
export function isPairing({ pairing }: SessionSnapshot): boolean {
  return pairing.kind === "showing";
}

/** Whether a socket uses the stored credentials. */
export function hasLoginSocket({ login }: SessionSnapshot): boolean {
  return login.kind === "login" || login.kind === "open";
}

/** Whether there is a socket to pair with. */
export function hasPairingSocket({ pairing }: SessionSnapshot): boolean {
  return pairing.kind !== "none";
}

/** Whether a login is connected, or on its way back without a human. */
export function isLoginWorking({ login }: SessionSnapshot): boolean {
  return login.kind !== "idle" && login.kind !== "failed";
}

/** What is going on, in one name for log and drills: the pairing where there is one, otherwise the login. */
export function activityOf(
  { login, pairing }: SessionSnapshot,
): Exclude<LoginActivity["kind"], "failed"> | "pairing" | "paired" {
  if (pairing.kind === "paired") return "paired";
  if (pairing.kind === "showing" || login.kind === "failed") return "pairing";
  return login.kind;
}

/** A moment by both clocks. */
export interface Moment {
  /** Wall time: for instants that are told. */
  readonly now: Instant;
  readonly steady: Steady;
}

/**
 * After how many milliseconds a `tick` will next have something to do, 0 or less when it has already; null when
 * nothing is waited for.
 */
export function nextTickMs(
  { session, login, pairing }: SessionSnapshot,
  { now, steady }: Moment,
): number | null {
  let next = Infinity;
  if (session.qr.status === "generated") next = session.qr.expiresAt - now;
  if (pairing.kind !== "none") next = Math.min(next, pairing.deadline - steady);
  const deadline = deadlineOf(login);
  if (deadline !== null) next = Math.min(next, deadline - steady);
  return next === Infinity ? null : next;
}

function deadlineOf(login: LoginActivity): Steady | null {
  switch (login.kind) {
    case "queued":
    case "login":
      return login.deadline;
    case "open":
      return login.failures === null ? null : login.stableAt;
    case "waiting":
      return login.until;
    case "idle":
    case "failed":
      return null;
    default:
      return login satisfies never;
  }
}
