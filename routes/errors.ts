/**
 * Errors on their way out: the catalogue's code, status and sentence, and nothing else.
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { type ErrorCode, ERRORS } from "@session-manager/contract";
import { SessionManagerError } from "../domain/errors.ts";
import type { Log } from "./ports.ts";

/** The answer to a known fault. */
export function errorAnswer(c: Context, error: SessionManagerError): Response {
  if (error.retryAfterSeconds !== undefined) c.header("Retry-After", String(error.retryAfterSeconds));
  return c.json(errorBody(error), ERRORS[error.code].status);
}

/** What an endpoint says when it fails for reasons that are no business of the caller's. */
export type FailureCode = "SESSION_MANAGER_ERROR" | "QR_GENERATION_FAILED";

/** Sets the endpoint's own code for failures; `SESSION_MANAGER_ERROR` where nothing sets it. */
export function failAs(code: FailureCode): MiddlewareHandler {
  return async (c, next) => {
    c.set("failureCode", code);
    await next();
  };
}

/** Maps whatever a handler throws. What nobody foresaw is a bare 500 with its cause in the log. */
export function onError(log: Log): (error: Error, c: Context) => Response {
  return (thrown, c) => {
    const error = known(thrown, c.get("failureCode"));
    logFailure(log, c.req.method, error);
    return errorAnswer(c, error);
  };
}

/** What a fault is answered with. */
export function errorBody({ code, message }: SessionManagerError) {
  return { error: { code, message } };
}

/** A line for what is not the caller's fault. */
export function logFailure(log: Log, method: string, error: SessionManagerError): void {
  if (ERRORS[error.code].status !== 500) return;
  const cause = error.cause === undefined ? {} : { err: error.cause };
  log.error({ event: "request_failed", method, code: error.code, ...cause });
}

/**
 * The fault of the catalogue that this is.
 * @param failureCode the endpoint's own, which a failure without a cause of its own is told as
 */
export function known(
  thrown: unknown,
  failureCode: FailureCode = "SESSION_MANAGER_ERROR",
): SessionManagerError {
  if (thrown instanceof SessionManagerError) {
    const { code, retryAfterSeconds, cause } = thrown;
    if (code !== "SESSION_MANAGER_ERROR" || failureCode === code) return thrown;
    return new SessionManagerError(failureCode, {
      cause,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
  // The only one the framework throws by itself: a body that is no JSON.
  if (thrown instanceof HTTPException && thrown.status === 400) {
    return new SessionManagerError("INVALID_REQUEST", { message: "The body is not valid JSON." });
  }
  return new SessionManagerError(failureCode, { cause: thrown });
}

/** Throws a fault of the catalogue; for places that have no other answer. */
export function fail(code: ErrorCode, message?: string): never {
  throw new SessionManagerError(code, message === undefined ? {} : { message });
}
