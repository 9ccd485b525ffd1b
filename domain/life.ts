/**
 * A session under supervision: the session itself, whether its login can still be used, and what the
 * supervisor is doing for it at the moment.
 * @module
 */
import type { BackoffPolicy } from "./backoff.ts";
import type { QrLife } from "./qr.ts";
import type { Instant, Session } from "./session.ts";

/**
 * What the stored credentials are good for: there are `none`; they are `working`; or they are
 * `suspended`, kept but not to be used without a human (WhatsApp or another client stands in the way).
 */
export type Link = "none" | "working" | "suspended";

/**
 * What the supervisor is doing. Each activity that waits for something carries the instant at which
 * the wait is over, so that no state is eternal by neglect.
 */
export type Activity =
  /** Nothing; no socket. */
  | { readonly kind: "idle" }
  /** A socket for pairing is open or opening. `deadline`: by when it must have brought the next QR. */
  | { readonly kind: "pairing"; readonly deadline: Instant }
  /** Pairing accepted; the restart (515) that belongs to it is awaited. */
  | { readonly kind: "paired"; readonly deadline: Instant }
  /** Wants to log in and waits for its turn; no socket. */
  | { readonly kind: "queued"; readonly attempt: number }
  /** A socket is opening with stored credentials. */
  | { readonly kind: "login"; readonly attempt: number; readonly deadline: Instant }
  /** The socket is logged in. `attempt` is forgotten once it has held until `stableAt`. */
  | { readonly kind: "open"; readonly attempt: number; readonly stableAt: Instant }
  /** Waits before the next attempt; no socket. */
  | { readonly kind: "waiting"; readonly attempt: number; readonly until: Instant };

/** The value that {@link transition} maps to the next one. */
export interface Life {
  readonly session: Session;
  readonly link: Link;
  readonly activity: Activity;
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
  loginMs: 60_000,
  stableMs: 60_000,
  backoff: { baseMs: 2_000, capMs: 300_000 },
};

/** A session as it is loaded: nobody is doing anything for it yet. */
export function atRest(session: Session, link: Link): Life {
  return { session, link, activity: { kind: "idle" } };
}

/** Whether this activity has a socket. */
export function hasSocket(activity: Activity): boolean {
  switch (activity.kind) {
    case "pairing":
    case "paired":
    case "login":
    case "open":
      return true;
    case "idle":
    case "queued":
    case "waiting":
      return false;
    default:
      return activity satisfies never;
  }
}

/** When a `tick` will next have something to do; null when nothing is waited for. */
export function nextTick({ session, activity }: Life): Instant | null {
  const qrExpiry = session.qr.status === "generated" ? session.qr.expiresAt : null;
  const own = deadlineOf(activity);
  if (qrExpiry === null || own === null) return qrExpiry ?? own;
  return Math.min(qrExpiry, own);
}

function deadlineOf(activity: Activity): Instant | null {
  switch (activity.kind) {
    case "pairing":
    case "paired":
    case "login":
      return activity.deadline;
    case "open":
      return activity.attempt > 0 ? activity.stableAt : null;
    case "waiting":
      return activity.until;
    case "idle":
    case "queued":
      return null;
    default:
      return activity satisfies never;
  }
}
