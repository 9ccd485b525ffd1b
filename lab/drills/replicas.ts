/**
 * `deno task drill:replicas`: three replicas, one database server, a balancer, and everything that can happen to them.
 *
 * `--sessions 60`
 * @module
 */
import { parseArgs } from "node:util";
import { ownServerProgram, whatIsMissing } from "../databases/server_program.ts";
import { measureCarry } from "./replicas/carry.ts";
import { type DrillResult, runReplicasDrill } from "./replicas/run.ts";

/** The result as a table, and every fault. */
export function describeDrill({ scenes, faults, quiet, comeback }: DrillResult): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const rows = scenes.map(({ name, backMs, shares, calls, failed, longestLieMs, overlaps, overFrozen }) =>
    [
      name,
      `back ${seconds(backMs)}`,
      `calls ${calls}, not answered ${failed}`,
      `longest lie ${seconds(longestLieMs)}`,
      `overlaps ${overlaps}${overFrozen > 0 ? ` (over a frozen process's: ${overFrozen})` : ""}`,
      `shares ${shares.join("/")}`,
    ].join(" · ")
  );
  const load = [
    `The database, nothing going on: ${quiet.reads.toFixed(1)} reads and ${
      quiet.writes.toFixed(1)
    } writes a second`,
    `The database, one session that comes back: ${comeback.reads.toFixed(1)} reads and ${
      comeback.writes.toFixed(1)
    } writes`,
  ];
  return [...rows, ...load, ...faults.map((fault) => `FAULT ${fault}`)].join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({ args: Deno.args, options: { sessions: { type: "string", default: "60" } } });
  const result = await runReplicasDrill({
    sessions: Number(values.sessions),
    bounds: {},
    policy: {},
    onScene: (name) => console.info(`… ${name}`),
  });
  if (result === null) {
    console.error(`The drill needs a database server of its own: ${whatIsMissing()}.`);
    Deno.exit(69);
  }
  console.info(describeDrill(result));
  const program = await ownServerProgram();
  const carried = program === undefined ? 0 : await measureCarry(program);
  console.info(`The database on this machine carries ${Math.round(carried)} durable, fenced writes a second`);
  Deno.exit(result.faults.length === 0 ? 0 : 1);
}
