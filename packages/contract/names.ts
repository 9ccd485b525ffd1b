/**
 * The frozen names of the contract. Nothing here is ever translated, aliased or extended.
 *
 * Source: `contrato-tecnico`, "Enumeraciones oficiales (congeladas)".
 * @module
 */

/** Every `status` a session can have, in the order of a session's life. */
export const SESSION_STATUSES = [
  "init",
  "qr_required",
  "connecting",
  "connected",
  "disconnected",
  "error",
] as const;

/** Every `qr_status` a session can have. */
export const QR_STATUSES = ["none", "generated", "expired", "used"] as const;

/** Why a session was disconnected, as the contract's fourth endpoint spells it. */
export const DISCONNECT_REASONS = ["LOGOUT", "NETWORK", "TIMEOUT", "UNKNOWN"] as const;

/** Why a session is in `error`. Source: decisions, "Transitions". */
export const FAULT_CODES = [
  "LOGGED_IN_ELSEWHERE",
  "ACCOUNT_FORBIDDEN",
  "CLIENT_OUTDATED",
  "MULTIDEVICE_MISMATCH",
  "PASSKEY_REQUIRED",
  "CREDENTIALS_UNREADABLE",
] as const;

/** A `status`. Source: `contrato-tecnico`, `SessionStatus`. */
export type SessionStatus = typeof SESSION_STATUSES[number];

/** A `qr_status`. Source: `contrato-tecnico`, `QRStatus`. */
export type QrStatus = typeof QR_STATUSES[number];

/** A `last_error_code` that says why WhatsApp ended a connection. */
export type DisconnectReason = typeof DISCONNECT_REASONS[number];

/** A `last_error_code` for a fault of the service itself. */
export type FaultCode = typeof FAULT_CODES[number];

/** What an `instance_id` looks like. Source: decisions, "Names and types". */
export const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;

/** What a `phone_number` looks like: E.164. Source: decisions, "Names and types". */
export const PHONE_NUMBER = /^\+[1-9]\d{6,14}$/;
