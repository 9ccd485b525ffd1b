/**
 * The leak drill: `deno task drill:leak --cycles 3000 --folder data/leak`. Interrupted, the same command goes on where
 * it was. It needs the collector, and an engine that neither compiles what has become hot nor forgets what is cold: for
 * thousands of cycles that is most of what a heap grows by, and no leak. Hence the flags of its task.
 * @module
 */
import { parseArgs } from "node:util";
import { LeakRecord } from "./leak_record.ts";
import { CYCLE_KINDS, type CycleKind, runLeak } from "./leak_run.ts";
import { describeVerdict, judgeLeak } from "./leak_verdict.ts";

const USAGE = `usage: leak.ts [--cycles 3000] [--every 50] [--warm-up 100] [--only ${CYCLE_KINDS.join("|")}]
               [--folder <where its progress is kept>]`;

interface Options {
  readonly cycles: number;
  readonly every: number;
  readonly warmUp: number;
  readonly kinds: readonly CycleKind[];
  /** Null where nothing is kept. */
  readonly folder: string | null;
}

/** @throws {Error} when an option makes no sense */
function readOptions(): Options {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      cycles: { type: "string", default: "3000" },
      every: { type: "string", default: "50" },
      "warm-up": { type: "string", default: "100" },
      only: { type: "string" },
      folder: { type: "string" },
    },
  });
  const [cycles, every, warmUp] = [values.cycles, values.every, values["warm-up"]].map(Number);
  const kinds = CYCLE_KINDS.filter((kind) => values.only === undefined || values.only === kind);
  if (!(cycles! > 0 && every! > 0 && warmUp! >= 0) || kinds.length === 0) {
    throw new Error("an option makes no sense");
  }
  return { cycles: cycles!, every: every!, warmUp: warmUp!, kinds, folder: values.folder ?? null };
}

async function openRecord({ folder, kinds, every, warmUp }: Options): Promise<LeakRecord> {
  return folder === null ? LeakRecord.inMemory() : await LeakRecord.open(folder, { kinds, every, warmUp });
}

async function prepare(): Promise<{ options: Options; record: LeakRecord }> {
  try {
    const options = readOptions();
    return { options, record: await openRecord(options) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

if (import.meta.main) {
  const { options, record } = await prepare();
  const since = performance.now();
  await runLeak({
    ...options,
    record,
    onProgress: (line) =>
      console.log(`${String(Math.round((performance.now() - since) / 1_000)).padStart(5)} s  ${line}`),
  });
  const runs = record.runs();
  const verdict = judgeLeak(runs);
  console.log(`\n${record.cycles} cycles (${options.kinds.join(", ")}) in ${runs.length} runs`);
  console.log(describeVerdict(verdict));
  Deno.exit(verdict.faults.length === 0 ? 0 : 1);
}
