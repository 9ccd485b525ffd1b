/**
 * The chaos drill: `deno task drill:chaos --dialect both --seed 1 --sessions 50 --seconds 60`.
 * @module
 */
import { parseArgs } from "node:util";
import { describeBounds } from "./chaos_bounds.ts";
import { LIE_KINDS } from "./chaos_ledger.ts";
import { type ChaosResult, runChaos } from "./chaos_run.ts";
import type { DialectName } from "./ground.ts";

const USAGE = "usage: chaos.ts [--dialect sqlite|mysql|both] [--seed N] [--sessions 50] [--seconds 60]";

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

function readOptions(): { dialects: DialectName[]; seed: number; sessions: number; seconds: number } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        dialect: { type: "string", default: "both" },
        seed: { type: "string", default: String(anySeed()) },
        sessions: { type: "string", default: "50" },
        seconds: { type: "string", default: "60" },
      },
    });
    const [seed, sessions, seconds] = [values.seed, values.sessions, values.seconds].map(Number);
    const dialects = ({ sqlite: ["sqlite"], mysql: ["mysql"], both: ["sqlite", "mysql"] } as const)[
      values.dialect as "both"
    ];
    const isWhole = [seed, sessions, seconds].every((number) => Number.isInteger(number) && number! >= 0);
    if (dialects === undefined || !isWhole) throw new Error("an option makes no sense");
    return { dialects: [...dialects], seed: seed!, sessions: sessions!, seconds: seconds! };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

if (import.meta.main) {
  const { dialects, ...options } = readOptions();
  console.log(describeBounds());
  let violations = 0;
  for (const dialect of dialects) {
    console.log(`\n── ${dialect}, seed ${options.seed} ──`);
    const result = await runChaos({ ...options, dialect });
    if (result === null) console.log("left out: there is no mariadbd on this machine");
    else console.log(describe(result));
    violations += result?.ledger.violationCount ?? 0;
  }
  Deno.exit(violations > 0 ? 1 : 0);
}
