/**
 * What the Hub is told of a session: exactly the contract's fields.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Endpoints".
 * @module
 */
import type { QrStatus, SessionStatus } from "./names.ts";
import { asOf } from "./qr.ts";
import type { GeneratedQr, Instant, Session } from "./session.ts";

/** The answer of `GET /sessions/:instance_id` and of both internal events. */
export interface SessionView {
  readonly instance_id: string;
  readonly status: SessionStatus;
  readonly qr_status: QrStatus;
  readonly qr_string: string | null;
  readonly qr_expires_at: string | null;
}

/** The answer of `POST /sessions/:instance_id/qr`. */
export interface QrView {
  readonly qr_string: string;
  readonly qr_expires_at: string;
}

/** An instant on the wire: ISO 8601, UTC, whole seconds, rounded down and never up. */
export function toWire(instant: Instant): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}

/** The session as the Hub sees it at `now`. */
export function viewSession(session: Session, now: Instant): SessionView {
  const { instanceId, status, qr } = asOf(session, now);
  return {
    instance_id: instanceId,
    status,
    qr_status: qr.status,
    qr_string: qr.status === "generated" ? qr.string : null,
    qr_expires_at: qr.status === "none" || qr.expiresAt === null ? null : toWire(qr.expiresAt),
  };
}

/** A valid QR as the Hub sees it. */
export function viewQr(qr: GeneratedQr): QrView {
  return { qr_string: qr.string, qr_expires_at: toWire(qr.expiresAt) };
}
