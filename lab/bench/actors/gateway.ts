/**
 * The gateway, from outside.
 * @module
 */
import type { Place } from "../lib/pinning.ts";
import { Helper } from "./helper.ts";

/** When logins came about, by the gateway's clock: milliseconds, UTC. */
export interface Logins {
  readonly firstAttemptAt: number;
  readonly lastOnlineAt: number;
  readonly logins: number;
}

export class GatewayProcess implements AsyncDisposable {
  readonly url: string;
  readonly rootKey: string;
  readonly #helper: Helper;

  private constructor(helper: Helper, { url, rootKey }: { url: string; rootKey: string }) {
    this.#helper = helper;
    this.url = url;
    this.rootKey = rootKey;
  }

  static async start(place: Place = "anywhere"): Promise<GatewayProcess> {
    const helper = await Helper.start("gateway_main.ts", { place });
    return new GatewayProcess(helper, await helper.call("where"));
  }

  /** Starts the clock of {@link until} anew. */
  async reset(): Promise<void> {
    await this.#helper.call("reset");
  }

  /** Waits until so many devices are online. */
  until(count: number): Promise<Logins> {
    return this.#helper.call("until", { count });
  }

  /** Phones scan these texts at once. @returns milliseconds until all are online */
  async pair(texts: readonly string[]): Promise<number> {
    return (await this.#helper.call<{ ms: number }>("pair", { texts })).ms;
  }

  /** Drops connections at random for so long. @returns how many were dropped, and how many came back meanwhile */
  churn(perSecond: number, seconds: number): Promise<{ drops: number; logins: number }> {
    return this.#helper.call("churn", { perSecond, seconds });
  }

  async dropAll(): Promise<void> {
    await this.#helper.call("dropAll");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#helper[Symbol.asyncDispose]();
  }
}
