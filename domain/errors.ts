/**
 * The one catalogue of errors: code → HTTP status → sentence. Answers and rows take their sentences from
 * here, so that nothing internal can leak into either.
 *
 * Source: `contrato-tecnico` (the first four), decisions, "Endpoints" and "Transitions".
 * @module
 */
import { type DisconnectReason, type ErrorCode, ERRORS, type FaultCode } from "@session-manager/contract";
import type { LastError } from "./session.ts";

/** What the product throws when it knows what went wrong; routes turn it into the answer. */
export class SessionManagerError extends Error {
  override readonly name = "SessionManagerError";
  readonly code: ErrorCode;
  /** Whole seconds after which trying again makes sense. */
  readonly retryAfterSeconds: number | undefined;

  /**
   * @param code from the catalogue
   * @param options.message a sentence of our own that says more than the catalogue's
   * @param options.retryAfterSeconds sent as `Retry-After`
   * @param options.cause for the log alone; never answered
   */
  constructor(
    code: ErrorCode,
    options: { message?: string; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(options.message ?? ERRORS[code].message, { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

const SENTENCES: Readonly<Record<DisconnectReason | FaultCode, string>> = Object.freeze({
  LOGOUT: "The number was unlinked; ask for a new QR to link it again.",
  NETWORK: "The connection to WhatsApp was lost; it is being restored where the link still works.",
  TIMEOUT: "WhatsApp did not answer in time; it is being tried again where the link still works.",
  UNKNOWN: "The connection ended for an unknown cause; it is being restored where the link still works.",
  LOGGED_IN_ELSEWHERE:
    "Another client uses this login; stop that client, then ask for a new QR to link this session again.",
  ACCOUNT_FORBIDDEN:
    "WhatsApp refuses this account; open WhatsApp on the phone to see why, then ask for a new QR.",
  CLIENT_OUTDATED:
    "WhatsApp no longer accepts this client's version; update the session manager and restart it.",
  MULTIDEVICE_MISMATCH:
    "The account cannot link devices; update WhatsApp on the phone, then ask for a new QR.",
  PASSKEY_REQUIRED:
    "The account asks for a passkey to link devices; turn that off on the phone, then ask for a new QR.",
  CREDENTIALS_UNREADABLE:
    "The stored credentials cannot be opened; check CREDENTIALS_KEY and restart, or ask for a new QR.",
});

/**
 * What a row says about a disconnection or a fault.
 * @param rival another session of this system that uses the same login
 */
export function lastErrorOf(code: DisconnectReason | FaultCode, rival: string | null = null): LastError {
  if (code !== "LOGGED_IN_ELSEWHERE" || rival === null) return { code, message: SENTENCES[code] };
  return {
    code,
    message:
      `The session ${rival} uses the same login; ask for a new QR to give this session one of its own.`,
  };
}
