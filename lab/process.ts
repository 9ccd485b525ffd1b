/**
 * The service, or a tool of it, as a process with the permissions that its configuration asks for: what it
 * prints, and how it ends.
 * @module
 */
import { parseConfig } from "../config.ts";
import { permissionFlags } from "../permissions.ts";
import { startCommand } from "../tools/start.ts";
import { Hub } from "./hub.ts";

/** How long a process may take to what a test waits for, in milliseconds: it only ends what hangs. */
const PATIENCE_MS = 600_000;

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

export type Environment = Readonly<Record<string, string>>;

/** A running process, its output read line by line. */
export class TestProcess implements AsyncDisposable {
  readonly pid: number;
  /** Every line so far, of both streams. */
  readonly lines: string[] = [];
  /** What it wrote on standard error so far. */
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  readonly #listeners = new Set<() => void>();
  #ended = false;

  constructor(command: string, args: readonly string[], environment: Environment) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      env: { ...environment, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    const { stdout, stderr } = this.#child;
    this.#read = Promise.all([this.#follow(stdout, false), this.#follow(stderr, true)]).then(() => {
      this.#ended = true;
      this.#tell();
    });
  }

  /** Any script of this project. */
  static script(
    path: string,
    flags: readonly string[],
    environment: Environment,
    args: readonly string[] = [],
  ): TestProcess {
    const run = ["run", "--quiet", `--config=${root}/deno.json`, ...flags, `${root}/${path}`, ...args];
    return new TestProcess(Deno.execPath(), run, environment);
  }

  /** Whether it has come to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /**
   * The first line that fits.
   * @param from how many lines to leave out
   * @throws {Error} when the process ends without it
   */
  async line(fits: (line: string) => boolean, from = 0): Promise<string> {
    const look = () => this.lines.slice(from).find(fits) ?? (this.#ended ? null : undefined);
    const found = await this.#until(look);
    if (found === null) throw new Error(`The process ended without that line:\n${this.lines.join("\n")}`);
    return found;
  }

  /** The log's first event of this name, whose fields are these. */
  async event(event: string, fields: Readonly<Record<string, unknown>> = {}, from = 0): Promise<any> {
    const wanted = Object.entries({ event, ...fields });
    return JSON.parse(
      await this.line((line) => {
        if (!line.startsWith("{")) return false;
        const logged = JSON.parse(line);
        return wanted.every(([name, value]) => logged[name] === value);
      }, from),
    );
  }

  /** Waits for its end: the exit code. */
  async exit(): Promise<number> {
    await this.#until(() => this.#ended || undefined);
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has ended by itself in the meantime.
      }
    }
    await this.#read;
    await this.#child.status;
  }

  #until<T>(look: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const listener = () => {
      const seen = look();
      if (seen !== undefined) resolve(seen);
    };
    const timer = setTimeout(
      () => reject(new Error(`The process did not get there:\n${this.lines.join("\n")}`)),
      PATIENCE_MS,
    );
    this.#listeners.add(listener);
    listener();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    });
  }

  async #follow(stream: ReadableStream<Uint8Array<ArrayBuffer>>, isError: boolean): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      if (isError) this.stderr += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.#tell();
    }
    if (rest !== "") this.lines.push(rest);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The flags that this environment's configuration asks for. */
export function flagsFor(environment: Environment): string[] {
  return permissionFlags(parseConfig(environment, 2), root);
}

/** The service itself, as `deno task start` runs it; a QR may take as long as a busy machine needs. */
export function serviceProcess(given: Environment): TestProcess {
  const environment = { QR_WAIT_MS: String(PATIENCE_MS), ...given };
  return new TestProcess(Deno.execPath(), startCommand(root, flagsFor(environment)), environment);
}

/** A client of a service that listens. */
export async function hubOf(process: TestProcess): Promise<Hub> {
  const { port } = await process.event("listening");
  return new Hub(`http://127.0.0.1:${port}`);
}

/** What a listening process says at `/readyz`: 200 or 503. */
export async function readinessOf(process: TestProcess): Promise<number> {
  const { port } = await process.event("listening");
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  await response.body?.cancel();
  return response.status;
}
