/**
 * `deno task drill:kill`: links survive `kill -9` of the service. See docs/drills.md.
 *
 * `--kills 100 --dialect sqlite|mysql|both --seed N --bound 20`, or `--restart 100` to measure restarts.
 * @module
 */
import { parseArgs } from "node:util";
import { runDrill } from "./drill.ts";
import { breakGround, type DialectName } from "./ground.ts";
import { Chance } from "./random.ts";
import { measureRestarts } from "./restart.ts";
import { table, type Tally } from "./tally.ts";

/** Sessions that are linked before the first kill. */
const FIRST_LINKS = 4;

/** Faults that are printed at most: one cause may have many. */
const SHOWN_FAULTS = 20;

interface Options {
  readonly dialects: readonly DialectName[];
  readonly kills: number;
  readonly bound: number;
  readonly seed: number;
  /** How many sessions a measurement of restarts links; null for the drill. */
  readonly restart: number | null;
}

/** @throws {TypeError} one sentence that names the option */
function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "100" },
      dialect: { type: "string", default: "both" },
      seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0]) },
      bound: { type: "string", default: "20" },
      restart: { type: "string" },
    },
  });
  const whole = (name: string, text: string) => {
    if (!/^\d{1,10}$/.test(text)) throw new TypeError(`--${name} has to be a whole number.`);
    return Number(text);
  };
  const { dialect } = values;
  if (dialect !== "sqlite" && dialect !== "mysql" && dialect !== "both") {
    throw new TypeError("--dialect has to be sqlite, mysql or both.");
  }
  return {
    dialects: dialect === "both" ? ["sqlite", "mysql"] : [dialect],
    kills: whole("kills", values.kills),
    bound: whole("bound", values.bound),
    seed: whole("seed", values.seed),
    restart: values.restart === undefined ? null : whole("restart", values.restart),
  };
}

async function drill({ dialects, kills, bound, seed }: Options): Promise<boolean> {
  console.info(`Seed ${seed}.`);
  const tallies: Tally[] = [];
  for (const dialect of dialects) {
    await using ground = await breakGround(dialect);
    if (ground === null) throw new Error(`There is no server for ${dialect} on this machine.`);
    const onProgress = (line: string) => console.info(line);
    const chance = new Chance(seed);
    tallies.push(await runDrill({ ground, chance, kills, bound, links: FIRST_LINKS, onProgress }));
  }
  for (const { dialect, losses, faults } of tallies) {
    for (const loss of losses) console.error(`${dialect}, LOST: ${loss}`);
    for (const fault of faults.slice(0, SHOWN_FAULTS)) console.error(`${dialect}: ${fault}`);
  }
  console.info(`\n${table(tallies)}`);
  return tallies.every((tally) => tally.isGood);
}

async function measure(dialects: readonly DialectName[], sessions: number): Promise<boolean> {
  for (const dialect of dialects) {
    await using ground = await breakGround(dialect);
    if (ground === null) throw new Error(`There is no server for ${dialect} on this machine.`);
    for (const line of await measureRestarts(ground, sessions)) console.info(`${dialect}: ${line}`);
  }
  return true;
}

if (import.meta.main) {
  const options = readOptions(Deno.args);
  const isGood = options.restart === null
    ? await drill(options)
    : await measure(options.dialects, options.restart);
  Deno.exit(isGood ? 0 : 1);
}
