/**
 * What goes over the wire, exactly the contract's fields.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Endpoints".
 * @module
 */
import type { ErrorCode } from "./errors.ts";
import type { QrStatus, SessionStatus } from "./names.ts";

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

/** The body of every error. */
export interface ErrorView {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}
