/**
 * `deno task drill:network`: links that drop, lose and hold up packets, in networks of the drill's own.
 *
 * `--sessions 6 --seed 1 --bad 30 --only sqlite|mysql`: for how many seconds a link loses or delays, over which database
 * @module
 */
import { parseArgs } from "node:util";
import { ownServerProgram } from "../databases/server_program.ts";
import { type NetworkResult, runNetworkDrill } from "./network/run.ts";

/** The result as a table, and every fault. */
export function describeDrill({ scenes, faults }: NetworkResult): string {
  const told = (name: string, figure: number) =>
    name.endsWith("%") ? `${name.slice(0, -3)} ${figure} %` : `${name} ${(figure / 1_000).toFixed(1)} s`;
  const rows = scenes.map(({ name, figures }) =>
    [name, ...Object.entries(figures).map(([figure, value]) => told(figure, value))].join(" · ")
  );
  return [...rows, ...faults.map((fault) => `FAULT ${fault}`)].join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      sessions: { type: "string", default: "6" },
      seed: { type: "string", default: "1" },
      bad: { type: "string", default: "30" },
      only: { type: "string" },
    },
  });
  const result = await runNetworkDrill({
    sessions: Number(values.sessions),
    bounds: {},
    badMs: Number(values.bad) * 1_000,
    isTimed: true,
    seed: Number(values.seed),
    isEmbeddedToo: values.only !== "mysql",
    program: values.only === "sqlite" ? undefined : await ownServerProgram(),
    onScene: (name) => console.info(`… ${name}`),
  });
  if (result === null) {
    console.info("Skipped: no network namespaces here (they need Linux, /dev/net/tun, iproute2 and root).");
    Deno.exit(0);
  }
  console.info(describeDrill(result));
  Deno.exit(result.faults.length === 0 ? 0 : 1);
}
