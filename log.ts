/**
 * The log: JSON lines on standard output, one event a line.
 * @module
 */
import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";

/**
 * A logger that writes whole lines, at once, and needs no permission for it. Whatever an event's fields
 * hold, secrets that sit under their own names are struck out.
 */
export function createLog(level: Config["logLevel"]): Logger {
  const encoder = new TextEncoder();
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ["qr_string", "credentials", "keys", "authorization", "*.qr_string", "*.credentials", "*.keys"],
      censor: "[redacted]",
    },
  }, {
    write(line) {
      const bytes = encoder.encode(line);
      for (let written = 0; written < bytes.length;) {
        written += Deno.stdout.writeSync(bytes.subarray(written));
      }
    },
  });
}
