/**
 * The refusal drill: `deno task drill:refusal --dialect both --sessions 12 --seconds 60`. The bounds are the product's
 * own: after a minute of refusals a link is back within 15 s, asked for or not.
 * @module
 */
import { parseArgs } from "node:util";
import type { DialectName } from "./ground.ts";
import { type RefusedLink, runRefusal } from "./refusal_run.ts";

const USAGE = "usage: refusal.ts [--dialect sqlite|mysql|both] [--sessions 12] [--seconds 60]";
const ASK_MS = 1_000;
/** The least that any is given to be back, and the share of the time away that it is given otherwise. */
const BACK_MS = 15_000;
const BACK_SHARE = 0.25;

function readOptions(): { dialects: readonly DialectName[]; sessions: number; seconds: number } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        dialect: { type: "string", default: "both" },
        sessions: { type: "string", default: "12" },
        seconds: { type: "string", default: "60" },
      },
    });
    const [sessions, seconds] = [values.sessions, values.seconds].map(Number);
    const dialects = ({ sqlite: ["sqlite"], mysql: ["mysql"], both: ["sqlite", "mysql"] } as const)[
      values.dialect as "both"
    ];
    if (dialects === undefined || ![sessions, seconds].every((n) => Number.isInteger(n) && n! > 0)) {
      throw new Error("an option makes no sense");
    }
    return { dialects, sessions: sessions!, seconds: seconds! };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

/** What became of the links that were asked for, or of the others, in a line. */
function describe(links: readonly RefusedLink[]): string {
  const range = (of: (link: RefusedLink) => number, digits = 0) => {
    const values = links.map(of).sort((a, b) => a - b);
    return `${values[0]?.toFixed(digits)} to ${values.at(-1)?.toFixed(digits)}`;
  };
  return `${String(links.length).padStart(3)} links  calls ${range(({ calls }) => calls)}  ` +
    `logins refused ${range(({ attempts }) => attempts)}  back after ${
      range(({ backMs }) => backMs / 1_000, 1)
    } s`;
}

if (import.meta.main) {
  const { dialects, sessions, seconds } = readOptions();
  let violations = 0;
  for (const dialect of dialects) {
    console.log(`\n── ${dialect}, every login refused for ${seconds} s ──`);
    const refusedMs = seconds * 1_000;
    const backMs = Math.max(BACK_MS, refusedMs * BACK_SHARE);
    const result = await runRefusal({ dialect, sessions, refusedMs, askMs: ASK_MS, backMs });
    if (result === null) {
      console.log("left out: there is no server for it on this machine");
      continue;
    }
    console.log(`asked for   ${describe(result.links.filter(({ isAskedFor }) => isAskedFor))}`);
    console.log(`left alone  ${describe(result.links.filter(({ isAskedFor }) => !isAskedFor))}`);
    console.log(`violations: ${result.violations.length}`);
    for (const violation of result.violations) console.log(violation);
    violations += result.violations.length;
  }
  Deno.exit(violations > 0 ? 1 : 0);
}
