/**
 * Starts an executable of the service once, on its own address, with a database in memory: whether it answers, its
 * workers run what is embedded, and it stops when it is told to. No session is in such a database, so WhatsApp hears
 * nothing of it.
 * @module
 */
import type { Config } from "../config.ts";

/** How long it may take to start and to get its workers running, in milliseconds; far more than it needs. */
const START_MS = 60_000;

/** How often it is asked how its workers are, in milliseconds. */
const LOOK_MS = 200;

/** What came of it, in one sentence. */
export interface Trial {
  readonly isSound: boolean;
  readonly sentence: string;
}

/**
 * Tries an executable out.
 * @param executable the file
 * @param config what it was compiled for
 * @param environment the same as variables, those that differ from what this process has
 */
export async function tryOut(
  executable: string,
  config: Config,
  environment: Readonly<Record<string, string>> = {},
): Promise<Trial> {
  const child = new Deno.Command(executable, {
    env: { ...environment, DATABASE_URL: "sqlite::memory:", LOG_LEVEL: "info", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => stop(child, "SIGKILL"), START_MS);
  try {
    const complaints = new Response(child.stderr).text();
    const fault = await faultOf(child, config);
    const [{ code }, said] = [await child.status, await complaints];
    // It got as far as its address with everything that is embedded; somebody else has it.
    if (code === 78 && /is taken, or no address of this machine/.test(said)) {
      return {
        isSound: true,
        sentence: `${executable} starts; its address is in use, so it was tried no further.`,
      };
    }
    if (fault === null && code === 0) return { isSound: true, sentence: `${executable} works.` };
    const last = said.trim().split("\n").at(-1);
    return {
      isSound: false,
      sentence: `${executable} does not work as the service (${fault ?? `exit code ${code}`}${
        last ? `: ${last}` : ""
      }); where DENORT_BIN is set, it has to name a denort of version ${Deno.version.deno}.`,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for it to listen and for its workers to run, and tells it to stop. What is wrong with it; null for nothing. */
async function faultOf(child: Deno.ChildProcess, config: Config): Promise<string | null> {
  let fault: Promise<string | null> | undefined;
  for await (const line of linesOf(child.stdout)) {
    if (fault !== undefined || !line.includes('"event":"listening"')) continue;
    const origin = originOf(config.host, JSON.parse(line).port);
    fault = workersFault(origin, config.internalKeys[0]).finally(() => stop(child));
  }
  return fault === undefined ? "it ended before it listened" : await fault;
}

/** Asks until every worker has told how much memory it takes, which one that runs does of its own accord. */
async function workersFault(origin: string, key: string | undefined): Promise<string | null> {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const figures = (text: string, name: string) =>
    [...text.matchAll(new RegExp(`^session_manager_${name}(?:\\{.*\\})? (\\S+)$`, "gm"))].map(([, n]) =>
      Number(n)
    );
  for (;;) {
    let text: string;
    try {
      text = await (await fetch(`${origin}/metrics`, { headers })).text();
    } catch {
      return "it does not answer";
    }
    if (figures(text, "worker_restarts_total").some((count) => count > 0)) return "its workers do not start";
    const memory = figures(text, "worker_memory_bytes");
    if (memory.length > 0 && memory.every((bytes) => bytes > 0)) return null;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}

/** Where a service that listens on `host` answers this machine. */
function originOf(host: string, port: number): string {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

function stop(child: Deno.ChildProcess, signal: Deno.Signal = "SIGTERM"): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}
