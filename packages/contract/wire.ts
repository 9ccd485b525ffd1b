/**
 * What goes over the wire, exactly the contract's fields.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Endpoints".
 * @module
 */
import type { ErrorCode } from "./errors.ts";
import { QR_STATUSES, type QrStatus, SESSION_STATUSES, type SessionStatus } from "./names.ts";

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

/** Whether this is the answer of `GET /sessions/:instance_id`: the five fields, each of its type. */
export function isSessionView(value: unknown): value is SessionView {
  if (!isRecord(value)) return false;
  const { instance_id, status, qr_status, qr_string, qr_expires_at } = value;
  return typeof instance_id === "string" && SESSION_STATUSES.some((name) => name === status) &&
    QR_STATUSES.some((name) => name === qr_status) && isTextOrNull(qr_string) && isTextOrNull(qr_expires_at);
}

/** Whether this is the answer of `POST /sessions/:instance_id/qr`. */
export function isQrView(value: unknown): value is QrView {
  return isRecord(value) && typeof value.qr_string === "string" && typeof value.qr_expires_at === "string";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
