/**
 * The log: JSON lines on standard output, one event a line.
 * @module
 */
import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";
import { describeError } from "./observe/redact.ts";

const SECRET_FIELDS = new Set(["qr_string", "credentials", "keys", "authorization", "password"]);
const CENSOR = "[redacted]";
/** Secrets are struck out of a line's fields and of what these hold. */
const DEPTH = 2;

/**
 * A logger that writes whole lines, at once, and needs no permission for it. Fields that are secrets by their
 * name are struck out, and errors are cut down to what may be told.
 * @param write takes each line; standard output unless a test listens
 */
export function createLog(level: Config["logLevel"], write: (line: string) => void = writeOut): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => strikeOut(fields, DEPTH),
    },
    // Under its own name for errors, pino repeats an error's text as the line's message, whole.
    errorKey: "unused",
    serializers: { err: (error) => describeError(error) },
  }, { write });
}

/** The fields with censored secrets; the very same object when it holds none, as nearly every line's. */
function strikeOut(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  let shown = fields;
  for (const [name, value] of Object.entries(fields)) {
    const told = SECRET_FIELDS.has(name)
      ? CENSOR
      : depth > 1 && isPlain(value)
      ? strikeOut(value, depth - 1)
      : value;
    if (told === value) continue;
    if (shown === fields) shown = { ...fields };
    shown[name] = told;
  }
  return shown;
}

/** Errors are cut down by their own serializer. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !(value instanceof Error);
}

const encoder = new TextEncoder();

function writeOut(line: string): void {
  const bytes = encoder.encode(line);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}
