/**
 * `deno task bench`: everything that is claimed of speed and size, measured beside its peer in the same run.
 *
 * `--quick` in two minutes, `--json` for machines, `--only <part>` one part alone.
 * @module
 */
import { parseArgs } from "node:util";
import { pinSelf } from "./lib/pinning.ts";
import type { Part, PartResult } from "./part.ts";
import { churn } from "./parts/churn.ts";
import { http } from "./parts/http.ts";
import { logins } from "./parts/logins.ts";
import { memory } from "./parts/memory.ts";
import { pairings } from "./parts/pairings.ts";
import { qr } from "./parts/qr.ts";
import { restart } from "./parts/restart.ts";
import { start } from "./parts/start.ts";
import { drawChart } from "./report/chart.ts";
import { describeRun, type Run } from "./report/run.ts";
import { printRun } from "./report/table.ts";
import { FULL, QUICK } from "./scale.ts";
import { World } from "./world.ts";

const PARTS: readonly Part[] = [start, http, qr, pairings, memory, logins, restart, churn];
const RESULTS = new URL("./results/", import.meta.url);
const USAGE = `usage: deno task bench [-- --quick] [--json] [--only ${
  PARTS.map(({ name }) => name).join("|")
}]`;

interface Options {
  readonly quick: boolean;
  readonly json: boolean;
  readonly parts: readonly Part[];
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      args: Deno.args.filter((argument) => argument !== "--"),
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        only: { type: "string", multiple: true },
      },
    });
    const parts = PARTS.filter(({ name }) => values.only?.includes(name) ?? true);
    if (parts.length < (values.only?.length ?? 0)) throw new Error("--only names a part that does not exist");
    return { quick: values.quick, json: values.json, parts };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(64); // EX_USAGE
  }
}

const { quick, json, parts } = readOptions();
const scale = quick ? QUICK : FULL;
const startedAt = performance.now();
let failures = 0;
const say = (line: string) =>
  console.error(`${String(Math.round((performance.now() - startedAt) / 1_000)).padStart(5)} s  ${line}`);

await pinSelf("load");
const world = await World.make(say);
const results: Record<string, PartResult & { title: string }> = {};
for (const part of parts) {
  say(part.title);
  results[part.name] = { title: part.title, ...await measured(part) };
}
await world[Symbol.asyncDispose]();
const run: Run = {
  ...await describeRun(scale),
  seconds: (performance.now() - startedAt) / 1_000,
  parts: results,
};
if (json) console.log(JSON.stringify(run, null, 2));
else printRun(run);
// A part alone is for looking; what docs/figures.md shows is a whole run.
if (parts.length === PARTS.length) {
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(new URL(`${scale.name}.json`, RESULTS), `${JSON.stringify(run, null, 2)}\n`);
  await Deno.writeTextFile(new URL(`${scale.name}.svg`, RESULTS), drawChart(run));
}
Deno.exit(failures);

/** A part that fails costs its own figures and no others. */
async function measured(part: Part): Promise<PartResult> {
  try {
    return await part.run({ scale, say, world });
  } catch (error) {
    failures = 1;
    console.error(error);
    return {
      figures: [],
      targets: [],
      notes: [`Not measured: ${error instanceof Error ? error.message : error}`],
    };
  }
}
