/**
 * What an error may say in the log. Its text can quote anything it was working on, a QR or a sealed login
 * included, and drivers hang whole statements on their errors.
 * @module
 */

/** The parts of an error that the log keeps. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  /** Where it was thrown, without its text. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** Pictures, and runs of base64 or hex that are too long to be a word. */
const SECRETS = /data:image\/[^"'\s]*|[A-Za-z0-9+/=_-]{24,}/g;
const LONGEST_MESSAGE = 300;

/** Strikes out whatever looks like a picture, a key or a credential. */
export function redact(text: string): string {
  return text.slice(0, LONGEST_MESSAGE).replace(SECRETS, "[redacted]");
}

/** An error for the log: its kind, its code, its redacted text, and where it came from. */
export function describeError(error: unknown, depth = 3): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: redact(String(error)) };
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  const stack = error.stack?.split("\n").filter((line) => /^\s+at /.test(line)).slice(0, 8).join("\n");
  return {
    type: error.name,
    ...(typeof code === "string" ? { code } : {}),
    message: redact(error.message),
    ...(stack ? { stack } : {}),
    ...(cause !== undefined && depth > 0 ? { cause: describeError(cause, depth - 1) } : {}),
  };
}
