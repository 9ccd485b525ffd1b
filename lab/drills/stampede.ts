/**
 * The stampede drill: `deno task drill:stampede --sessions 500 --down 60`. The bounds are the product's own.
 * @module
 */
import { parseArgs } from "node:util";
import { runStampede } from "./stampede_run.ts";

const USAGE = "usage: stampede.ts [--sessions 500] [--down 60] [--workers 1]";

function readOptions(): { sessions: number; downMs: number; workers: number } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        sessions: { type: "string", default: "500" },
        down: { type: "string", default: "60" },
        workers: { type: "string", default: "1" },
      },
    });
    const [sessions, down, workers] = [values.sessions, values.down, values.workers].map(Number);
    if (![sessions, down, workers].every((number) => number! > 0)) {
      throw new Error("an option makes no sense");
    }
    return { sessions: sessions!, downMs: down! * 1_000, workers: workers! };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

if (import.meta.main) {
  const options = readOptions();
  const since = performance.now();
  const result = await runStampede({
    ...options,
    onProgress: (line) =>
      console.log(`${String(Math.round((performance.now() - since) / 1_000)).padStart(4)} s  ${line}`),
  });
  console.log(`
sessions                         ${options.sessions}
outage                           ${options.downMs / 1_000} s
limit                            ${result.limit} attempts a second
linked                           ${(options.sessions * 1_000 / result.linkedMs).toFixed(1)} sessions a second
attempts while down              ${result.attemptsWhileDown}
attempts in all                  ${result.attempts}
most made in any second          ${result.peakDeparted}
most arrived in any second       ${result.peakArrived}
all back after                   ${(result.backMs / 1_000).toFixed(1)} s
overlaps                         ${result.overlaps}
made, second by second           ${result.departedPerSecond.join(" ")}

violations: ${result.violations.length}`);
  for (const violation of result.violations) console.log(violation);
  Deno.exit(result.violations.length > 0 ? 1 : 0);
}
