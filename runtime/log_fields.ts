/**
 * What a log line may say. Names and texts come from callers, from WhatsApp and from libraries: they neither
 * replace what is ours, nor carry a secret, nor make the line grow.
 * @module
 */
import { describeError, redact } from "./redact.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Struck out, wherever they are. */
const SECRETS: ReadonlySet<string> = new Set([
  "qr_string",
  "credentials",
  "keys",
  "authorization",
  "password",
]);
const CENSOR = "[redacted]";

/** The logger's own; a reader of JSON believes the last field of a name. */
const OURS: ReadonlySet<string> = new Set(["level", "time", "msg"]);

/** The field that holds what was thrown, an error or not. */
const ERROR = "err";

/** Ids, names and codes are shorter, in characters; what is longer may be anything, and is redacted. */
const LONGEST_NAME = 128;

/** What a line takes at most, about, in characters; an error with its causes and where they come from fits. */
const LONGEST_LINE = 4_000;
const MOST_ENTRIES = 40;
const DEEPEST = 6;
const CUT = "…";

/** The fields as they may be written: the very same object when there is nothing to change, as nearly always. */
export function loggable(fields: Fields): Fields {
  try {
    let count = 0;
    for (const name in fields) {
      if (++count > MOST_ENTRIES || !isFine(name, fields[name])) {
        return new Presentation().fields(fields, DEEPEST);
      }
    }
    return fields;
  } catch {
    // An object that throws when it is looked at costs its line, and nothing else.
    return { event: "unloggable" };
  }
}

function isFine(name: string, value: unknown): boolean {
  const isShort = typeof value === "string"
    ? value.length <= LONGEST_NAME
    : typeof value === "number" || typeof value === "boolean" || value === undefined || value === null;
  return isShort && name !== ERROR && name.length <= LONGEST_NAME && !SECRETS.has(name) && !OURS.has(name);
}

/** One line's fields, made anew as plain data. */
class Presentation {
  #left = LONGEST_LINE;

  fields(fields: Fields, depth: number, isTold = false): Fields {
    // No name means anything to an object that inherits nothing, `__proto__` included.
    const shown: Record<string, unknown> = Object.create(null);
    let count = 0;
    for (const name of Object.keys(fields)) {
      if (++count > MOST_ENTRIES || this.#left <= 0) {
        shown[CUT] = CUT;
        break;
      }
      const isOurs = depth === DEEPEST && OURS.has(name);
      const value = SECRETS.has(name) ? CENSOR : fields[name];
      shown[this.#text(isOurs ? `${name}_` : name, isTold)] = name === ERROR && value !== undefined
        ? this.#error(value, depth)
        : this.#value(value, depth, isTold);
    }
    return shown;
  }

  #value(value: unknown, depth: number, isTold: boolean): unknown {
    switch (typeof value) {
      case "string":
        return this.#text(value, isTold);
      case "bigint":
        return this.#text(String(value), isTold);
      case "number":
      case "boolean":
        this.#left -= 8;
        return value;
      case "object":
        return value === null ? null : this.#object(value, depth, isTold);
      default:
        return undefined;
    }
  }

  #object(value: object, depth: number, isTold: boolean): unknown {
    if (value instanceof Error) return this.#error(value, depth);
    if (value instanceof Date) return this.#text(value.toISOString(), isTold);
    if (depth <= 1 || this.#left <= 0) return CUT;
    if (!Array.isArray(value)) return this.fields(value as Fields, depth - 1, isTold);
    const shown = value.slice(0, MOST_ENTRIES).map((each) => this.#value(each, depth - 1, isTold));
    return value.length > shown.length ? [...shown, CUT] : shown;
  }

  #error(thrown: unknown, depth: number): unknown {
    return this.#object(describeError(thrown), depth, true);
  }

  /** @param isTold whether it has been redacted already */
  #text(text: string, isTold: boolean): string {
    const told = isTold || text.length <= LONGEST_NAME ? text : redact(text);
    const shown = told.length <= this.#left ? told : told.slice(0, Math.max(0, this.#left)) + CUT;
    this.#left -= shown.length + 4;
    return shown;
  }
}
