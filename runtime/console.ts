/**
 * What libraries print. Printed, it would wait for a reader that pauses, throw where there is none, and stand
 * between the log's lines, whatever it holds.
 * @module
 */
import { describeError, redact } from "./redact.ts";

const LEVELS = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;

type Log = Record<"debug" | "info" | "warn" | "error", (fields: { event: string; text: string }) => void>;

/** From now on, what is printed by this thread is a line of the log, its secrets struck out, or nothing. */
export function divertConsole(log: Log): void {
  for (const name of Object.keys(console) as (keyof Console)[]) {
    if (typeof console[name] !== "function") continue;
    const level = LEVELS[name as keyof typeof LEVELS];
    console[name] = level === undefined
      ? () => {}
      : (...printed: unknown[]) => log[level]({ event: "printed", text: printed.map(textOf).join(" ") });
  }
}

/** Objects are not looked into: they are what a library was working on. */
function textOf(printed: unknown): string {
  if (printed instanceof Error) {
    const { type, message } = describeError(printed);
    return `${type}: ${message}`;
  }
  return typeof printed === "object" && printed !== null ? "[object]" : redact(String(printed));
}
