/**
 * Processes of the bench's own: where they run, what they wrote, what they weigh and take.
 * @module
 */
import { pinned, type Place } from "./pinning.ts";

/** How long a process may take to say that it is there, in milliseconds. */
const READY_MS = 60_000;
/** How often it is asked, in milliseconds. */
const LOOK_MS = 5;
/** Clock ticks in a second, as `/proc` counts them; the same on every Linux that Deno runs on. */
const TICKS = 100;

export interface ChildOptions {
  readonly command: readonly string[];
  readonly place?: Place;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a process weighs, in bytes: all that it has in memory, and its fair share of what others have too. */
export interface Weight {
  readonly rss: number;
  readonly pss: number;
}

/** A running process whose output goes to a file: a pipe would have to be emptied by somebody, on some core. */
export class Child implements AsyncDisposable {
  /** When it was started: by `performance.now()`, in milliseconds. */
  readonly startedAt: number;
  readonly #process: Deno.ChildProcess;
  readonly #logFile: string;
  #ended: Deno.CommandStatus | null = null;

  constructor({ command, place = "anywhere", environment = {} }: ChildOptions) {
    this.#logFile = Deno.makeTempFileSync({ prefix: "bench-", suffix: ".log" });
    const [program = "", ...args] = pinned(place, [
      "sh",
      "-c",
      'exec "$@" >"$BENCH_LOG" 2>&1',
      "sh",
      ...command,
    ]);
    this.startedAt = performance.now();
    this.#process = new Deno.Command(program, {
      args,
      env: { ...environment, BENCH_LOG: this.#logFile },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    void this.#process.status.then((status) => this.#ended = status);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it has written so far. */
  output(): Promise<string> {
    return Deno.readTextFile(this.#logFile);
  }

  /** Asks until `isReady` says yes. @throws with what it wrote, when it ends before or takes too long */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + READY_MS;
    while (!await isReady()) {
      if (this.#ended !== null || performance.now() > end) {
        throw new Error(`A process did not get ready. It wrote:\n${(await this.output()).slice(-4_000)}`);
      }
      await pause(LOOK_MS);
    }
  }

  /** The first line of its output that matches. */
  async told(pattern: RegExp): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await this.until(async () => (match = pattern.exec(await this.output())) !== null);
    return match!;
  }

  /** What it weighs now. */
  async weigh(): Promise<Weight> {
    // Read by `cat`: the runtime itself opens `/proc` with every permission only.
    const text = await read(`/proc/${this.pid}/smaps_rollup`);
    const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1_024;
    return { rss: bytes("Rss"), pss: bytes("Pss") };
  }

  /** How much processor time it has taken so far, in seconds. */
  async cpuSeconds(): Promise<number> {
    const fields = (await read(`/proc/${this.pid}/stat`)).replace(/^.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /** The share of one core that it takes over so many milliseconds from now. */
  async cpuShare(ms: number): Promise<number> {
    const [before, since] = [await this.cpuSeconds(), performance.now()];
    await pause(ms);
    return (await this.cpuSeconds() - before) / ((performance.now() - since) / 1_000);
  }

  /** Ends it, and resolves once it is gone. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    if (this.#ended === null) {
      try {
        this.#process.kill(signal);
      } catch {
        // It has ended by itself.
      }
      await this.#process.status;
    }
    await Deno.remove(this.#logFile).catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function read(path: string): Promise<string> {
  const { stdout } = await new Deno.Command("cat", { args: [path] }).output();
  return new TextDecoder().decode(stdout);
}
