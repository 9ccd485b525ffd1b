/**
 * Bare Baileys, from outside.
 * @module
 */
import type { Weight } from "../lib/child.ts";
import type { GatewayProcess } from "./gateway.ts";
import { Helper } from "./helper.ts";

export class BareBaileys implements AsyncDisposable {
  readonly #helper: Helper;

  private constructor(helper: Helper) {
    this.#helper = helper;
  }

  static async start({ url, rootKey }: Pick<GatewayProcess, "url" | "rootKey">): Promise<BareBaileys> {
    return new BareBaileys(
      await Helper.start("bare_main.ts", { args: [url, rootKey], v8Flags: "--expose-gc" }),
    );
  }

  /** Opens sockets to pair, all at once: each one's first text, and the milliseconds until it came. */
  pair(count: number): Promise<{ text: string; ms: number }[]> {
    return this.#helper.call("pair", { count });
  }

  /** Appends what it has paired to a file. */
  async write(file: string): Promise<void> {
    await this.#helper.call("write", { file });
  }

  /**
   * Logs in with the first logins of a file, their keys in memory, or in the library's files below `folder`.
   * @returns milliseconds from the first socket to the last login
   */
  async login(file: string, count: number, folder?: string): Promise<number> {
    return (await this.#helper.call<{ ms: number }>("login", { file, count, folder })).ms;
  }

  /** What it weighs at best: after a full collection of garbage. */
  async weigh(): Promise<Weight> {
    await this.#helper.call("collect");
    return await this.#helper.child.weigh();
  }

  cpuShare(ms: number): Promise<number> {
    return this.#helper.child.cpuShare(ms);
  }

  /** Ends every socket. */
  async close(): Promise<void> {
    await this.#helper.call("close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#helper[Symbol.asyncDispose]();
  }
}
