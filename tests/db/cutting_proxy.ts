/**
 * A stretch of network between a store and its server, which breaks at a COMMIT.
 * @module
 */
import type { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Whether the server has carried out the COMMIT over whose connection nothing comes back any more. */
export type Cut = "before the commit" | "after the commit";

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #next: Cut | null = null;
  /** How many connections have been cut. */
  cuts = 0;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#carry(client as Socket));
  }

  /** A proxy before the server of this URL, and the URL that leads through it. */
  static async before(url: string): Promise<{ proxy: CuttingProxy; url: string }> {
    const through = new URL(url);
    const server = createServer();
    const proxy = new CuttingProxy(server, { host: through.hostname, port: Number(through.port) });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    through.hostname = "127.0.0.1";
    through.port = String((server.address() as { port: number }).port);
    return { proxy, url: through.href };
  }

  /** Cuts the next connection that commits. */
  cut(when: Cut): void {
    this.#next = when;
  }

  #carry(client: Socket): void {
    const server = connect(this.#target);
    let isCommitting = false;
    const end = () => {
      client.destroy();
      server.destroy();
    };
    const cut = () => {
      this.cuts++;
      end();
    };
    client.on("data", (data: Buffer) => {
      // A statement ends with its packet.
      if (this.#next !== null && data.subarray(-6).toString("latin1") === "commit") {
        const when = this.#next;
        this.#next = null;
        if (when === "before the commit") return cut();
        isCommitting = true;
      }
      server.write(data);
    });
    server.on("data", (data: Buffer) => isCommitting ? cut() : client.write(data));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        end();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
