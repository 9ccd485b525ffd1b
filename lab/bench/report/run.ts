/**
 * One run of the bench, with what a reader has to know to make anything of its figures.
 * @module
 */
import { GENERATOR } from "../lib/load.ts";
import { CAN_PIN } from "../lib/pinning.ts";
import type { PartResult } from "../part.ts";
import type { Scale } from "../scale.ts";

export interface Run {
  readonly date: string;
  readonly scale: Scale["name"];
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
    /** Processes that wanted a core when the run ended, over the last minute; the bench's own included. */
    readonly load: number;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly loadGenerator: string;
  /** Whether what is measured and what measures it had cores of their own. */
  readonly pinned: boolean;
  readonly seconds: number;
  readonly parts: Readonly<Record<string, PartResult & { readonly title: string }>>;
}

/** Everything about a run but its figures. */
export async function describeRun(scale: Scale): Promise<Omit<Run, "parts" | "seconds">> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)));
  const pinnedTo = (name: string) => String(imports[name]).replace(/^.*@/, "");
  return {
    date: new Date().toISOString(),
    scale: scale.name,
    machine: {
      processor: /model name\s*: (.*)/.exec(await read("/proc/cpuinfo"))?.[1] ?? Deno.build.arch,
      cores: navigator.hardwareConcurrency,
      memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
      system: `${Deno.build.os} ${Deno.osRelease()}`,
      load: Deno.loadavg()[0] ?? 0,
    },
    versions: {
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      hono: pinnedTo("hono"),
      mysql2: pinnedTo("mysql2"),
      baileys: pinnedTo("@whiskeysockets/baileys"),
      mariadb: await versionOf("mariadbd"),
    },
    loadGenerator: GENERATOR === "wrk" ? "wrk" : `autocannon ${pinnedTo("autocannon")}`,
    pinned: CAN_PIN,
  };
}

async function versionOf(program: string): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return /Ver (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
  } catch {
    return "none";
  }
}

/** Read by `cat`: the runtime itself opens `/proc` with every permission only. */
async function read(path: string): Promise<string> {
  const { stdout } = await new Deno.Command("cat", { args: [path], stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}
