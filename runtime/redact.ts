/**
 * What an error may say in the log. Its text can quote anything it was working on, a QR or a sealed login
 * included, and drivers hang whole statements on their errors.
 * @module
 */

/** The parts of an error that the log keeps. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  /** The number of a server's or an operating system's error. */
  readonly errno?: number;
  readonly message: string;
  /** Where it was thrown, without its text. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** Pictures, and runs of base64 or hex that are too long to be a word. */
const SECRETS = /data:image\/[^"'\s]*|[A-Za-z0-9+/=_-]{24,}/g;
const LONGEST_MESSAGE = 300;
/** Text beyond is not looked at. */
const LONGEST_TEXT = 2_000;

/** Kinds and codes of errors, such as `TypeError` and `ER_DATA_TOO_LONG`: letters, which keys are not alone. */
const KIND = /^[A-Za-z_$]{1,64}$/;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

const FRAME = /^\s+at /;
const MOST_FRAMES = 8;
const LONGEST_FRAME = 200;

/** Strikes out whatever looks like a picture, a key or a credential, and cuts the text short. */
export function redact(text: string): string {
  const whole = text.length <= LONGEST_TEXT;
  // The beginning of a secret that is cut in two does not look like one.
  const seen = whole ? text : text.slice(0, LONGEST_TEXT).replace(/[A-Za-z0-9+/=_-]*$/, "");
  const told = seen.replace(SECRETS, "[redacted]");
  return whole && told.length <= LONGEST_MESSAGE ? told : told.slice(0, LONGEST_MESSAGE) + "…";
}

/** An error for the log: its kind, its code, its redacted text, and where it came from. */
export function describeError(error: unknown, depth = 3): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: redact(textOf(error)) };
  const { name, message, code, errno, cause } = error as {
    [field in "name" | "message" | "code" | "errno" | "cause"]?: unknown;
  };
  const stack = framesOf(error);
  return {
    type: nameOr(KIND, name),
    ...(typeof code === "string" ? { code: nameOr(CODE, code) } : {}),
    ...(Number.isInteger(errno) ? { errno: errno as number } : {}),
    message: redact(textOf(message)),
    ...(stack ? { stack } : {}),
    ...(cause !== undefined && depth > 0 ? { cause: describeError(cause, depth - 1) } : {}),
  };
}

function nameOr(pattern: RegExp, name: unknown): string {
  const text = textOf(name);
  return pattern.test(text) ? text : redact(text);
}

function textOf(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/**
 * Where an error was thrown. Its stack begins with its text as it was when it was made, any line of which may
 * look like a frame: without knowing where the text ends, nothing of the stack is told.
 */
function framesOf({ stack, message }: Error): string | undefined {
  if (typeof stack !== "string" || typeof message !== "string") return undefined;
  const head = stack.indexOf("\n");
  const hasText = head < 0 || stack.slice(0, head).includes(":");
  const at = hasText ? stack.indexOf(message) : 0;
  if (at < 0) return undefined;
  const frames = stack.slice(hasText ? at + message.length : head).split("\n").filter((line) =>
    FRAME.test(line)
  );
  return frames.slice(0, MOST_FRAMES).map((line) => line.slice(0, LONGEST_FRAME)).join("\n") || undefined;
}
