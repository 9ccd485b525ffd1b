/**
 * `deno task drill:cluster`: three replicas over a group of three MySQL servers, whose primary is killed, frozen, cut off
 * and restarted.
 *
 * `--sessions 12`
 * @module
 */
import { parseArgs } from "node:util";
import { findMysql } from "../databases/server_program.ts";
import { type ClusterDrillResult, runClusterDrill } from "./cluster/run.ts";

/** The result as a table, and every fault. */
export function describeCluster({ scenes, followed, faults }: ClusterDrillResult): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const rows = scenes.map(({ name, failoverMs, backMs, linked, calls, failed, longestLieMs, overlaps }) =>
    [
      name,
      `another primary after ${seconds(failoverMs)}`,
      `all back after ${seconds(backMs)}`,
      `linked meanwhile ${linked}`,
      `calls ${calls}, not answered ${failed}`,
      `longest lie ${seconds(longestLieMs)}`,
      `overlaps ${overlaps}`,
    ].join(" · ")
  );
  return [
    ...rows,
    `failovers followed, by three replicas: ${followed}`,
    ...faults.map((fault) => `FAULT ${fault}`),
  ]
    .join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({ args: Deno.args, options: { sessions: { type: "string", default: "12" } } });
  const program = await findMysql();
  if (program === undefined) {
    console.error("The drill needs MySQL's own server; lab/databases/fetch_mysql.sh fetches it.");
    Deno.exit(69);
  }
  const result = await runClusterDrill({
    program,
    sessions: Number(values.sessions),
    onScene: (name) => console.info(`… ${name}`),
  });
  if (typeof result === "string") {
    console.error(`The drill is left out: ${result}.`);
    Deno.exit(69);
  }
  console.info(describeCluster(result));
  Deno.exit(result.faults.length === 0 ? 0 : 1);
}
