/**
 * A stretch of network between a store and its server, which keeps what is sent and delivers it later: when nobody waits
 * for it any more, and after what was sent later over other connections.
 * @module
 */
import type { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A connection through the proxy, and what of it has not reached the server. */
interface Way {
  readonly client: Socket;
  readonly server: Socket;
  readonly kept: Buffer[];
  isHeld: boolean;
}

export class HoldingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #keepsPorts: boolean;
  readonly #ways = new Set<Way>();
  #isHolding = false;
  #text: string | null = null;
  #held = Promise.withResolvers<void>();
  /** How many connections have been opened. */
  connections = 0;

  private constructor(server: Server, target: { host: string; port: number }, keepsPorts: boolean) {
    this.#server = server;
    this.#keepsPorts = keepsPorts;
    this.#target = target;
    server.on("connection", (client) => this.#carry(client as Socket));
  }

  /**
   * A proxy before the server of this URL, and the URL that leads through it.
   * @param keepsPorts whether the server is to see the ports of the clients, as without a proxy; from 127.0.0.2
   */
  static async before(url: string, keepsPorts = false): Promise<{ proxy: HoldingProxy; url: string }> {
    const through = new URL(url);
    const server = createServer();
    const proxy = new HoldingProxy(
      server,
      { host: through.hostname, port: Number(through.port) },
      keepsPorts,
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    through.hostname = "127.0.0.1";
    through.port = String((server.address() as { port: number }).port);
    return { proxy, url: through.href };
  }

  /**
   * From the next statement on that has this text in it, keeps what is sent over the connections that there are then, and
   * refuses new ones.
   */
  holdFrom(text: string): void {
    this.#text = text;
    this.#held = Promise.withResolvers();
  }

  /** Resolves once such a statement has come. */
  get held(): Promise<void> {
    return this.#held.promise;
  }

  /** New connections are carried again; those that are held remain so. */
  pass(): void {
    this.#isHolding = false;
  }

  /** Ends what is held at the server too, as the end of a process does; new connections are carried again. */
  forget(): void {
    for (const way of this.#ways) {
      if (!way.isHeld) continue;
      this.#ways.delete(way);
      way.client.destroy();
      way.server.destroy();
    }
    this.pass();
  }

  /**
   * Delivers what was kept, whoever has hung up meanwhile.
   * @returns how many connections something was kept of, once the server has answered on each
   */
  async deliver(): Promise<number> {
    const held = [...this.#ways].filter(({ isHeld, kept }) => isHeld && kept.length > 0);
    await Promise.all(held.map(async (way) => {
      const answered = new Promise<void>((resolve) => way.server.once("data", () => resolve()));
      for (const data of way.kept.splice(0)) way.server.write(data);
      await answered;
    }));
    return held.length;
  }

  #hold(): void {
    this.#text = null;
    this.#isHolding = true;
    this.#held.resolve();
    for (const way of this.#ways) way.isHeld = true;
  }

  #carry(client: Socket): void {
    this.connections++;
    client.on("error", () => {});
    if (this.#isHolding) return void client.destroy();
    const server = connect({
      ...this.#target,
      ...(this.#keepsPorts ? { localAddress: "127.0.0.2", localPort: client.remotePort! } : {}),
    });
    const way: Way = { client, server, kept: [], isHeld: false };
    this.#ways.add(way);
    client.on("data", (data: Buffer) => {
      if (this.#text !== null && data.includes(this.#text)) this.#hold();
      if (way.isHeld) way.kept.push(data);
      else server.write(data);
    });
    server.on("data", (data: Buffer) => void (way.isHeld || client.write(data)));
    const end = () => {
      if (way.isHeld) return;
      this.#ways.delete(way);
      client.destroy();
      server.destroy();
    };
    server.on("error", end);
    for (const socket of [client, server]) socket.on("close", end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of this.#ways) {
      client.destroy();
      server.destroy();
    }
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
