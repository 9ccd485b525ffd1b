/**
 * The log: JSON lines on standard output, one event a line.
 * @module
 */
import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";
import { describeError } from "./observe/redact.ts";

const SECRET_FIELDS = ["qr_string", "credentials", "keys", "authorization", "password"];

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
    formatters: { level: (label) => ({ level: label }) },
    // Under its own name for errors, pino repeats an error's text as the line's message, whole.
    errorKey: "unused",
    serializers: { err: (error) => describeError(error) },
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  }, { write });
}

const encoder = new TextEncoder();

function writeOut(line: string): void {
  const bytes = encoder.encode(line);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}
