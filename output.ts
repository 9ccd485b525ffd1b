/**
 * Standard output and standard error. Neither can hold the service up or bring it down, whatever has become of
 * them; the end of the process waits for both, but not for long.
 * @module
 */
import { LineWriter } from "./runtime/line_writer.ts";
import { StandardStream } from "./runtime/standard_stream.ts";

/** How long the end of the process waits for a reader, in milliseconds. */
const LAST_MS = 250;

/** Where the log goes. */
export const output = new LineWriter(new StandardStream(Deno.stdout), {
  gapLine: (lines) =>
    JSON.stringify({ level: "warn", time: new Date().toISOString(), event: "log_lines_dropped", lines }) +
    "\n",
});

const errors = new LineWriter(new StandardStream(Deno.stderr), {
  gapLine: (lines) => `${lines} lines could not be written.\n`,
  capacityBytes: 2 ** 16,
  gatherMs: 0,
});

/** Writes to standard error why the process ends, in one sentence. */
export function say(sentence: string): void {
  errors.write(`${sentence}\n`);
}

/** Ends the process once all that it has said is written, or nobody reads it. */
export async function end(code: number): Promise<never> {
  await Promise.all([output.flush(LAST_MS), errors.flush(LAST_MS)]);
  Deno.exit(code);
}
