/**
 * The chaos drill: `deno task drill:chaos --dialect both --seed 1 --sessions 50 --seconds 60`. With `--seeds 30
 * --record data/chaos.jsonl` it runs the next thirty seeds as well, and goes on where it was interrupted.
 * @module
 */
import { parseArgs } from "node:util";
import { whatIsMissing } from "../databases/server_program.ts";
import { describeBounds } from "./chaos_bounds.ts";
import { LIE_KINDS } from "./chaos_ledger.ts";
import { type ChaosResult, runChaos } from "./chaos_run.ts";
import { ChaosRecord } from "./chaos_record.ts";
import type { DialectName } from "./ground.ts";

const USAGE = "usage: chaos.ts [--dialect sqlite|mysql|both] [--seed N] [--sessions 50] [--seconds 60]\n" +
  "                [--seeds 1] [--record <file>]";

/** A seed that nobody chose. */
export function anySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** A run as a table. */
export function describe(result: ChaosResult): string {
  const { options, ledger, statuses } = result;
  const lines = [
    `seed ${options.seed}, ${options.dialect}, ${options.sessions} sessions, ${options.seconds} s`,
    `faults ${sum(ledger.injected.values())}, pairings ${result.pairings}, logins ${result.logins}, ` +
    `overlaps ${result.overlaps}, HTTP answers checked ${result.answers}`,
    `settled after ${Math.round(result.settledMs)} ms: ` +
    Array.from(statuses, ([status, count]) => `${count} ${status}`).join(", "),
    `longest stall of this thread ${Math.round(result.longestStallMs)} ms`,
    "",
    row("fault", "times", ...LIE_KINDS.map((kind) => `${kind} lie, ms`)),
  ];
  const kinds = new Set([...ledger.injected.keys(), ...ledger.lies.keys()]);
  for (const kind of [...kinds].sort()) {
    const lies = ledger.lies.get(kind);
    lines.push(
      row(
        kind,
        String(ledger.injected.get(kind) ?? ""),
        ...LIE_KINDS.map((lie) => lies?.[lie] ? String(Math.round(lies[lie])) : ""),
      ),
    );
  }
  lines.push(row("longest", "", ...LIE_KINDS.map((lie) => String(Math.round(ledger.longest(lie))))));
  lines.push("", `violations: ${ledger.violationCount}`, ...ledger.violations);
  return lines.join("\n");
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(34) + cells.map((cell) => cell.padStart(18)).join("");
}

function sum(numbers: Iterable<number>): number {
  return Array.from(numbers).reduce((total, number) => total + number, 0);
}

interface Options {
  readonly dialects: DialectName[];
  readonly seed: number;
  /** How many seeds, from `seed` on. */
  readonly seeds: number;
  readonly sessions: number;
  readonly seconds: number;
  /** Where the results are kept; null where they are not. */
  readonly record: string | null;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        dialect: { type: "string", default: "both" },
        seed: { type: "string", default: String(anySeed()) },
        sessions: { type: "string", default: "50" },
        seconds: { type: "string", default: "60" },
        seeds: { type: "string", default: "1" },
        record: { type: "string" },
      },
    });
    const numbers = [values.seed, values.sessions, values.seconds, values.seeds].map(Number);
    const [seed, sessions, seconds, seeds] = numbers;
    const dialects = ({ sqlite: ["sqlite"], mysql: ["mysql"], both: ["sqlite", "mysql"] } as const)[
      values.dialect as "both"
    ];
    const isWhole = numbers.every((number) => Number.isInteger(number) && number! >= 0);
    if (dialects === undefined || !isWhole) throw new Error("an option makes no sense");
    const { record = null } = values;
    return {
      dialects: [...dialects],
      seed: seed!,
      seeds: seeds!,
      sessions: sessions!,
      seconds: seconds!,
      record,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

if (import.meta.main) {
  const { dialects, seed, seeds, sessions, seconds, record } = readOptions();
  console.log(describeBounds());
  const results = await ChaosRecord.open(record);
  for (let next = seed; next < seed + seeds; next++) {
    for (const dialect of dialects) {
      const options = { dialect, seed: next, sessions, seconds };
      if (results.has(options)) continue;
      console.log(`\n── ${dialect}, seed ${next} ──`);
      const result = await runChaos(options);
      if (result === null) console.log(`left out: ${whatIsMissing()}`);
      else {
        console.log(describe(result));
        await results.add(result);
      }
    }
  }
  console.log(`\n${results.summary()}`);
  Deno.exit(results.isGood ? 0 : 1);
}
