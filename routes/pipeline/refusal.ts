/**
 * What a request is answered in place of what it asks for. Guards return refusals; use cases throw errors, which
 * become refusals here: the catalogue's code, status and sentence, and nothing else.
 *
 * Source: decisions, "Endpoints".
 * @module
 */
import { type ErrorCode, ERRORS } from "@session-manager/contract";
import { SessionManagerError } from "../../domain/errors.ts";
import type { Log } from "../ports.ts";

/** An answer that is an error. */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: ErrorCode;
  /** One plain sentence. */
  readonly message: string;
  /** Headers that the error brings along, by their names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The code of an endpoint that fails for reasons that are no business of the caller's. */
export type FailureCode = "SESSION_MANAGER_ERROR" | "QR_GENERATION_FAILED";

/**
 * A refusal, with the catalogue's sentence unless another says more.
 * @param headers that the error brings along
 */
export function refuse(
  code: ErrorCode,
  message: string = ERRORS[code].message,
  headers?: Readonly<Record<string, string>>,
): Refusal {
  return headers === undefined
    ? { kind: "refusal", code, message }
    : { kind: "refusal", code, message, headers };
}

/** True for a refusal, and false for whatever else a guard returns. */
export function isRefusal(outcome: object | null): outcome is Refusal {
  return outcome !== null && (outcome as { readonly kind?: unknown }).kind === "refusal";
}

/**
 * What a use case has thrown, as it is answered. A failure of the service leaves a line in the log, with its cause.
 * @param failureCode the endpoint's own, for a failure that has no code
 */
export function refusalOf(thrown: unknown, failureCode: FailureCode, method: string, log: Log): Refusal {
  const error = thrown instanceof SessionManagerError ? thrown : null;
  const code = error === null || error.code === "SESSION_MANAGER_ERROR" ? failureCode : error.code;
  if (ERRORS[code].status === 500) {
    const cause = error === null ? thrown : error.cause;
    log.error({ event: "request_failed", method, code, ...(cause === undefined ? {} : { err: cause }) });
  }
  const message = error?.code === code ? error.message : ERRORS[code].message;
  const seconds = error?.retryAfterSeconds;
  return refuse(code, message, seconds === undefined ? undefined : { "retry-after": String(seconds) });
}
