/**
 * A WhatsApp session: the fourteen fields of the contract's entity (less the row's `id`, which only
 * the database knows), as a union over `status` that cannot hold a combination the contract forbids.
 * @module
 */
import type { DisconnectReason, FaultCode } from "@session-manager/contract";

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number;

/** `qr_status` `none`: no QR speaks of this session. */
export interface NoQr {
  readonly status: "none";
}
/** `qr_status` `generated`: the only QR that has a text, and the only one that a phone may scan. */
export interface GeneratedQr {
  readonly status: "generated";
  /** `data:image/png;base64,…`. A secret: whoever scans it owns the link. */
  readonly string: string;
  readonly generatedAt: Instant;
  readonly expiresAt: Instant;
}
/** `qr_status` `expired` or `used`. The instants are unknown only in rows that another system wrote. */
export interface ExpiredQr {
  readonly status: "expired";
  readonly generatedAt: Instant | null;
  readonly expiresAt: Instant | null;
}
/** A QR that a phone has scanned; its times are null where the row came without them. */
export interface UsedQr {
  readonly status: "used";
  readonly generatedAt: Instant | null;
  readonly expiresAt: Instant | null;
}
/** The four QR fields of a session, as a union over `qr_status`. */
export type Qr = NoQr | GeneratedQr | ExpiredQr | UsedQr;
/** A QR that nobody can scan any more, or none at all. */
export type SpentQr = NoQr | ExpiredQr | UsedQr;

/** What `last_error_code` and `last_error_message` hold. */
export interface LastError {
  readonly code: DisconnectReason | FaultCode | (string & Record<never, never>);
  /** One sentence for an operator; never a secret, never a library's own text. */
  readonly message: string;
}

/** What a session keeps, whatever its status. */
export interface SessionFacts {
  readonly instanceId: string;
  /** E.164; the last one known. */
  readonly phoneNumber: string | null;
  readonly connectedAt: Instant | null;
  readonly disconnectedAt: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** The part of a session that a transition replaces as a whole. */
export type SessionState =
  | { readonly status: "init"; readonly qr: NoQr; readonly lastError: null }
  | { readonly status: "qr_required"; readonly qr: GeneratedQr | ExpiredQr; readonly lastError: null }
  | { readonly status: "connecting"; readonly qr: UsedQr | NoQr; readonly lastError: LastError | null }
  | { readonly status: "connected"; readonly qr: SpentQr; readonly lastError: null }
  | { readonly status: "disconnected"; readonly qr: SpentQr; readonly lastError: LastError }
  | { readonly status: "error"; readonly qr: SpentQr; readonly lastError: LastError };

/** A session: its facts, and the state that its `status` allows. */
export type Session = SessionFacts & SessionState;

/**
 * A session that has just been created: `init` / `none`.
 * @param instanceId the Hub's name for it, already checked against {@link INSTANCE_ID}
 * @param now milliseconds
 */
export function createSession(instanceId: string, now: Instant): Session {
  return {
    instanceId,
    phoneNumber: null,
    connectedAt: null,
    disconnectedAt: null,
    createdAt: now,
    updatedAt: now,
    status: "init",
    qr: { status: "none" },
    lastError: null,
  };
}

/**
 * The session with another state and, where given, other facts; the very same object when nothing
 * differs, so that a repeated event changes nothing, `updated_at` included.
 */
export function updateSession(
  session: Session,
  now: Instant,
  state: SessionState,
  facts: Partial<Pick<SessionFacts, "phoneNumber" | "connectedAt" | "disconnectedAt">> = {},
): Session {
  const next: Session = { ...session, ...facts, ...state };
  return sameSession(session, next) ? session : { ...next, updatedAt: now };
}

function sameSession(a: Session, b: Session): boolean {
  return a.status === b.status &&
    a.phoneNumber === b.phoneNumber &&
    a.connectedAt === b.connectedAt &&
    a.disconnectedAt === b.disconnectedAt &&
    a.lastError?.code === b.lastError?.code &&
    a.lastError?.message === b.lastError?.message &&
    sameQr(a.qr, b.qr);
}

/** Whether two QRs are the same in every part. */
export function sameQr(a: Qr, b: Qr): boolean {
  if (a.status === "none" || b.status === "none") return a.status === b.status;
  return a.status === b.status &&
    a.generatedAt === b.generatedAt &&
    a.expiresAt === b.expiresAt &&
    (a.status !== "generated" || b.status !== "generated" || a.string === b.string);
}
