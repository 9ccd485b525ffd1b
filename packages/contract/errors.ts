/**
 * The one catalogue of errors: code → HTTP status → sentence. Answers take their words from here, so that nothing
 * internal can leak into one.
 *
 * Source: `contrato-tecnico` (the first four), decisions, "Endpoints".
 * @module
 */

interface CatalogueEntry {
  /** HTTP status. */
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 429 | 500;
  /** One plain sentence. */
  readonly message: string;
}

/** Every error that an answer can carry. */
export const ERRORS = Object.freeze(
  {
    SESSION_NOT_FOUND: { status: 404, message: "There is no session with this instance_id." },
    SESSION_ALREADY_CONNECTED: {
      status: 409,
      message: "The session is connected or connecting, so no QR can be generated for it.",
    },
    QR_GENERATION_FAILED: { status: 500, message: "No QR could be obtained from WhatsApp." },
    SESSION_MANAGER_ERROR: { status: 500, message: "The session manager could not answer." },
    INVALID_REQUEST: { status: 400, message: "The request is not valid." },
    UNAUTHORIZED: { status: 401, message: "The request carries no valid key." },
    FORBIDDEN: { status: 403, message: "This caller may not do that." },
    NOT_FOUND: { status: 404, message: "There is no such route." },
    METHOD_NOT_ALLOWED: { status: 405, message: "This route does not answer that method." },
    PAYLOAD_TOO_LARGE: { status: 413, message: "The body is larger than 64 KiB." },
    UNSUPPORTED_MEDIA_TYPE: { status: 415, message: "The body has to be application/json." },
    TOO_MANY_REQUESTS: { status: 429, message: "Too many requests; try again later." },
  } satisfies Record<string, CatalogueEntry>,
);

/** The `code` of an error answer. */
export type ErrorCode = keyof typeof ERRORS;

/** Whether this text is the code of an error. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
