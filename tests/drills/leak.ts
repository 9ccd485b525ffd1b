/**
 * The leak drill: `deno task drill:leak --cycles 1000`. It needs the collector: `--v8-flags=--expose-gc`.
 * @module
 */
import { parseArgs } from "node:util";
import { CYCLE_KINDS, type CycleKind, runLeak, type Snapshot } from "./leak_run.ts";
import { total } from "./leak_scales.ts";

const USAGE = `usage: leak.ts [--cycles 1000] [--warm-up 100] [--only ${CYCLE_KINDS.join("|")}]`;

/** What a cycle may leave behind in either isolate, in bytes: the scales' own error over a thousand cycles. */
const TOLERATED_BYTES = 512;

function readOptions(): { cycles: number; warmUp: number; kinds: readonly CycleKind[] } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        cycles: { type: "string", default: "1000" },
        "warm-up": { type: "string", default: "100" },
        only: { type: "string" },
      },
    });
    const [cycles, warmUp] = [values.cycles, values["warm-up"]].map(Number);
    const kinds = CYCLE_KINDS.filter((kind) => values.only === undefined || values.only === kind);
    if (!(cycles! > 0 && warmUp! >= 0) || kinds.length === 0) throw new Error("an option makes no sense");
    return { cycles: cycles!, warmUp: warmUp!, kinds };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

/** The numbers of a snapshot by name; those in bytes first. */
function rows({ service, worker, rssBytes, connections, sockets, supervised }: Snapshot): [string, number][] {
  return [
    ["service, bytes", total(service)],
    ["worker, bytes", total(worker)],
    ["process, bytes", rssBytes],
    ["service, timers", service.timers],
    ["worker, timers", worker.timers],
    ["service, other resources", service.others],
    ["worker, other resources", worker.others],
    ["connections at the gateway", connections],
    ["sockets in the workers", sockets],
    ["sessions supervised", supervised],
  ];
}

if (import.meta.main) {
  const options = readOptions();
  const since = performance.now();
  const result = await runLeak({
    ...options,
    onProgress: (line) =>
      console.log(`${String(Math.round((performance.now() - since) / 1_000)).padStart(5)} s  ${line}`),
  });
  const after = new Map(rows(result.after));
  const faults: string[] = [];
  console.log(`\n${result.cycles} cycles (${options.kinds.join(", ")}) after ${options.warmUp} to warm up`);
  console.log(`${"".padEnd(28)}${"before".padStart(14)}${"after".padStart(14)}${"a cycle".padStart(12)}`);
  for (const [name, before] of rows(result.before)) {
    const now = after.get(name)!;
    const perCycle = (now - before) / result.cycles;
    console.log(
      name.padEnd(28) + String(before).padStart(14) + String(now).padStart(14) +
        perCycle.toFixed(1).padStart(12),
    );
    // What the process holds besides is the allocator's business; it is shown and not judged.
    const isHeap = name === "service, bytes" || name === "worker, bytes";
    if (isHeap && perCycle > TOLERATED_BYTES) faults.push(`${name}: ${Math.round(perCycle)} a cycle`);
    if (!name.endsWith("bytes") && now > before) faults.push(`${name}: ${before} before, ${now} after`);
  }
  if (result.workerFaults > 0) faults.push(`${result.workerFaults} errors that nobody caught in the worker`);
  if (result.workersLost > 0) faults.push(`${result.workersLost} workers were lost on the way`);
  console.log(faults.length === 0 ? "\nverdict: nothing leaks" : `\nverdict: it leaks\n${faults.join("\n")}`);
  Deno.exit(faults.length === 0 ? 0 : 1);
}
