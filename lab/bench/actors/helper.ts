/**
 * The bench's own helpers, from outside: each a process that is told what to do over HTTP, as `commands.ts` serves it.
 * @module
 */
import { Child } from "../lib/child.ts";
import type { Place } from "../lib/pinning.ts";

const FLAGS = [
  "--quiet",
  "--no-check",
  "--frozen",
  "--allow-net=127.0.0.1",
  "--allow-env",
  "--allow-sys",
  "--allow-read",
  "--allow-write",
];

/** A helper's process, from outside. */
export class Helper implements AsyncDisposable {
  readonly child: Child;
  readonly origin: string;

  private constructor(child: Child, port: number) {
    this.child = child;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /**
   * Starts it and waits until it listens.
   * @param script below `lab/bench/actors/`
   */
  static async start(
    script: string,
    options: { place?: Place; args?: readonly string[]; v8Flags?: string } = {},
  ): Promise<Helper> {
    const { place = "anywhere", args = [], v8Flags } = options;
    const config = new URL("../../../deno.json", import.meta.url).pathname;
    const child = new Child({
      command: [
        Deno.execPath(),
        "run",
        ...FLAGS,
        `--config=${config}`,
        ...(v8Flags === undefined ? [] : [`--v8-flags=${v8Flags}`]),
        new URL(script, import.meta.url).pathname,
        ...args,
      ],
      place,
    });
    const [, port] = await child.told(/^listening on (\d+)$/m);
    return new Helper(child, Number(port));
  }

  /** Has it carry out a command. @throws {Error} with its words when it fails */
  async call<T>(command: string, body: unknown = {}): Promise<T> {
    const response = await fetch(`${this.origin}/${command}`, { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${command}: ${text}`);
    return JSON.parse(text);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child.end();
  }
}
