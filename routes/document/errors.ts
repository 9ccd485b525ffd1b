/**
 * Errors, as the document describes them.
 *
 * Source: decisions, "Endpoints".
 * @module
 */
import { z } from "@hono/zod-openapi";
import { type ErrorCode, ERRORS } from "@session-manager/contract";
import { header, REQUEST_ID } from "./headers.ts";

const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Every error, everywhere. */
export const ErrorAnswer = z.strictObject({
  error: z.strictObject({
    code: z.enum(ERROR_CODES).openapi({
      description: "What went wrong, for programs.",
      example: "SESSION_NOT_FOUND",
    }),
    message: z.string().openapi({
      description: "What went wrong, for people: one plain sentence.",
      example: ERRORS.SESSION_NOT_FOUND.message,
    }),
  }).openapi({ description: "The error." }),
}).openapi("Error", { description: "Every error, of every endpoint." });

/** Headers besides, by the status of an error. */
const ERROR_HEADERS: Readonly<Record<number, Record<string, { $ref: string }>>> = {
  401: { "WWW-Authenticate": header("Authenticate") },
  429: { "Retry-After": header("RetryAfter") },
  500: { "Retry-After": header("RetryAfter") },
};

/** An error that an operation answers, and when, where that is more than its sentence says. */
export type Fault = ErrorCode | { readonly code: ErrorCode; readonly when: string };

const WHEN: Partial<Record<ErrorCode, string>> = {
  INVALID_REQUEST: "The request is not valid; the message names the field.",
  FORBIDDEN:
    "No key is set, and the caller is no program of the service's machine, or a page of another site.",
};

/** The errors of an operation, by status. */
export function errors(faults: readonly Fault[]) {
  return Object.fromEntries(faults.map((fault) => {
    const code = typeof fault === "string" ? fault : fault.code;
    const { status, message } = ERRORS[code];
    const when = typeof fault === "string" ? WHEN[code] ?? message : fault.when;
    return [status, {
      description: `${code}: ${when}`,
      headers: { ...REQUEST_ID, ...ERROR_HEADERS[status] },
      content: { "application/json": { schema: ErrorAnswer, example: { error: { code, message } } } },
    }];
  }));
}
