/**
 * The log: JSON lines, one event a line.
 * @module
 */
import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";
import { loggable } from "./runtime/log_fields.ts";
import { redact } from "./runtime/redact.ts";

/**
 * What a reader of text takes for the end of a line, for a terminal's command or for a change of direction, and
 * JSON leaves as it is. It occurs within strings alone, where it may be escaped.
 */
const UNPRINTABLE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
const EACH_UNPRINTABLE = new RegExp(UNPRINTABLE, "g");

/**
 * A logger of whole lines. Fields that are secrets by their name are struck out, errors are cut down to what may
 * be told, and no field grows without a bound or takes the place of `level` and `time`.
 * @param write takes each line, its newline included
 */
export function createLog(level: Config["logLevel"], write: (line: string) => void): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => loggable(fields),
    },
    // Under its own name for errors, pino repeats an error's text as the line's message, whole.
    errorKey: "unused",
    serializers: {
      // By then it has been described.
      err: (described) => described,
      msg: (text) => redact(String(text)),
    },
  }, {
    write: (line: string) => write(UNPRINTABLE.test(line) ? line.replace(EACH_UNPRINTABLE, escape) : line),
  });
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
