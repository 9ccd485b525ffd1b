/**
 * The service as a process whose standard output goes wherever a test wants it to, and how many lines it has
 * logged by then: one a request, at `LOG_LEVEL=debug`.
 * @module
 */
import assert from "node:assert/strict";
import { type Environment, flagsFor, TestProcess } from "../../../lab/process.ts";
import { startCommand } from "../../../tools/start.ts";

const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** How long a test waits for what has to happen, in milliseconds. */
const PATIENCE_MS = 600_000;
const ASKED_EVERY_MS = 50;
const CALLERS = 8;

/** A folder of a test's own. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A configuration under which every request is a line, and no session exists. */
export function environmentIn(folder: string): Record<string, string> {
  return {
    PORT: String(freePort()),
    DATABASE_URL: `sqlite:${folder}/sessions.db`,
    WHATSAPP_WS_URL: "ws://127.0.0.1:1/ws/chat", // nobody logs in here
    SOCKET_WORKERS: "1",
    RATE_LIMIT_KEY: "0",
    RATE_LIMIT_READ: "0",
    LOG_LEVEL: "debug",
  };
}

export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return (listener.addr as Deno.NetAddr).port;
}

/**
 * Any program, its streams redirected by a shell.
 * @param redirection such as `>/dev/full`; it may name variables of the environment
 */
export function redirected(
  redirection: string,
  args: readonly string[],
  environment: Environment,
): TestProcess {
  const script = `${redirection.startsWith("exec ") ? redirection : `exec ${redirection}`}; exec "$@"`;
  return new TestProcess("sh", ["-c", script, "service", Deno.execPath(), ...args], environment);
}

/** What `mkfifo` makes: a pipe with a name, whose reader may go and another one come. */
export async function makePipe(path: string): Promise<string> {
  const { success, stderr } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return path;
}

/** Waits until a condition holds; it is looked at again and again. */
export async function until(holds: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !await holds();) {
    assert.ok(Date.now() < end, `It did not come to this: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, ASKED_EVERY_MS));
  }
}

export class LoggedService implements AsyncDisposable {
  readonly process: TestProcess;
  /** How many lines it must have logged: that it listens, and each request. */
  lines = 1;
  readonly #origin: string;

  /** @param redirection where its standard output goes, as a shell writes it */
  constructor(redirection: string, environment: Readonly<Record<string, string>>) {
    this.process = redirected(redirection, startCommand(root, flagsFor(environment)), environment);
    this.#origin = `http://127.0.0.1:${environment.PORT}`;
  }

  /** Waits until it answers, where its log cannot be asked. */
  async answers(): Promise<void> {
    await until(async () => {
      assert.ok(!this.process.ended, this.process.stderr);
      const isUp = await fetch(`${this.#origin}/healthz`).then(async (response) => {
        await response.body?.cancel();
        return true;
      }, () => false);
      if (isUp) this.lines++;
      return isUp;
    }, "it answers");
  }

  /** Asks for so many answers, several at a time; every one of them is 200. */
  async ask(times: number): Promise<void> {
    let left = times;
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      while (left-- > 0) {
        const response = await fetch(`${this.#origin}/healthz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
        assert.equal(response.status, 200);
        await response.body?.cancel();
        this.lines++;
      }
    }));
  }

  /** How many lines it says it has dropped. */
  async dropped(): Promise<number> {
    const response = await fetch(`${this.#origin}/metrics`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await response.text();
    this.lines++;
    const found = /^session_manager_log_lines_dropped_total (\d+)$/m.exec(text);
    assert.ok(found, text);
    return Number(found[1]);
  }

  /** Asks until it has dropped some. */
  async askUntilDropped(): Promise<void> {
    await until(async () => {
      await this.ask(500);
      return await this.dropped() > 0;
    }, "lines are dropped");
  }

  /** Waits until every line so far is counted as dropped. */
  async hasDroppedAll(): Promise<void> {
    await until(async () => {
      const logged = this.lines;
      return await this.dropped() === logged;
    }, "every line is counted as dropped");
  }

  /** Tells it to stop, and sees it stop in order. Past its bound for that its exit code would be 1. */
  async stop(): Promise<void> {
    this.process.kill("SIGTERM");
    assert.equal(await this.process.exit(), 0, this.process.stderr);
    this.lines += 2;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** A log, as its reader has it: every line is JSON. Returns how many lines it has, and how many it says are missing. */
export function readLog(text: string): { lines: number; missing: number; gaps: number } {
  assert.ok(text.endsWith("\n"), "the last line is torn");
  const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const gaps = events.filter(({ event }) => event === "log_lines_dropped");
  return {
    lines: events.length - gaps.length,
    missing: gaps.reduce((sum, { lines }) => sum + lines, 0),
    gaps: gaps.length,
  };
}
