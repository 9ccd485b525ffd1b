/**
 * What the parts share: one gateway, and the devices that are linked to it.
 * @module
 */
import { BareBaileys } from "./actors/bare.ts";
import { GatewayProcess } from "./actors/gateway.ts";
import { Folder } from "./lib/folder.ts";

/** Paired together: few enough that each is done before its deadlines. */
const BATCH = 25;

export class World implements AsyncDisposable {
  readonly gateway: GatewayProcess;
  readonly #folder = new Folder();
  readonly #say: (line: string) => void;
  #linked = 0;

  private constructor(gateway: GatewayProcess, say: (line: string) => void) {
    this.gateway = gateway;
    this.#say = say;
  }

  static async make(say: (line: string) => void): Promise<World> {
    return new World(await GatewayProcess.start("load"), say);
  }

  /**
   * Devices to log in as: paired once, by bare Baileys, their first login behind them and their pre-keys
   * uploaded. Product and peer use the same ones, one after the other.
   * @param count how many there have to be at least
   * @returns the file with their logins
   */
  async links(count: number): Promise<string> {
    const file = `${this.#folder.path}/logins.jsonl`;
    if (this.#linked >= count) return file;
    const startedAt = performance.now();
    await using bare = await BareBaileys.start(this.gateway);
    while (this.#linked < count) {
      const opened = await bare.pair(Math.min(BATCH, count - this.#linked));
      await this.gateway.pair(opened.map(({ text }) => text));
      await bare.write(file);
      await bare.close();
      await this.gateway.until(0);
      this.#linked += opened.length;
    }
    this.#say(`${count} devices linked in ${Math.round((performance.now() - startedAt) / 1_000)} s`);
    return file;
  }

  /** A folder for what is gone with this world. */
  folder(): Promise<string> {
    return Deno.makeTempDir({ dir: this.#folder.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
