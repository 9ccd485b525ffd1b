/**
 * The load generator: keep-alive, 32 connections, paths at random.
 *
 * `wrk` where the machine has it: it is C, and one core of it asks faster than Deno can answer. Otherwise
 * `autocannon`, which needs nothing but Deno, and is itself slower than the fastest servers here: its figures
 * are told as such.
 * @module
 */
import { CONNECTIONS } from "./connections.ts";
import { isThere, pinned } from "./pinning.ts";

/** What is asked for. */
export interface Target {
  readonly origin: string;
  readonly method: "GET" | "POST";
  /** One of these at random, each time. */
  readonly paths: readonly string[];
  /** The bearer key; none where the server asks for none. */
  readonly key?: string;
}

/** What came of it. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx, and questions without an answer. */
  readonly failures: number;
}

/** The generator that this machine has. */
export const GENERATOR: "wrk" | "autocannon" = await isThere("wrk") ? "wrk" : "autocannon";

/**
 * Loads a server for so long.
 * @throws {Error} when it answers anything but 2xx: a refusal is quicker than an answer and would be a good figure
 */
export async function load(target: Target, seconds: number): Promise<LoadResult> {
  const file = await Deno.makeTempFile({ prefix: "bench-load-", suffix: ".json" });
  try {
    await Deno.writeTextFile(file, GENERATOR === "wrk" ? wrkPlan(target) : JSON.stringify(target));
    const result = await run(command(target, file, seconds));
    if (result.failures > 0) throw new Error(`${result.failures} answers of ${target.origin} were not 2xx.`);
    return result;
  } finally {
    await Deno.remove(file);
  }
}

function command({ origin }: Target, file: string, seconds: number): string[] {
  if (GENERATOR === "wrk") {
    const script = new URL("./wrk.lua", import.meta.url).pathname;
    return ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script, origin, "--", file];
  }
  const script = new URL("./autocannon.ts", import.meta.url).pathname;
  const flags = [
    "--quiet",
    "--no-check",
    "--allow-net=127.0.0.1",
    "--allow-read",
    "--allow-env",
    "--allow-sys",
  ];
  return [Deno.execPath(), "run", ...flags, script, file, String(CONNECTIONS), String(seconds)];
}

/** What `wrk.lua` reads: the method, the key, and a path a line. */
function wrkPlan({ method, paths, key = "" }: Target): string {
  return [method, key, ...paths].join("\n");
}

async function run(line: string[]): Promise<LoadResult> {
  const [program = "", ...args] = pinned("load", line);
  const { stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  const told = /^result (.*)$/m.exec(decoder.decode(stdout));
  if (told === null) throw new Error(`The load generator failed: ${decoder.decode(stderr)}`);
  return JSON.parse(told[1]!);
}
