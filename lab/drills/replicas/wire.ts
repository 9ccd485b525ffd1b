/**
 * One replica's way to the database, which can be cut as a network does it: nothing comes through any more, and
 * nobody is told.
 * @module
 */
export class Wire {
  /** The database's address by this way. */
  readonly url: string;
  readonly #listener: Deno.Listener;
  readonly #target: { hostname: string; port: number };
  readonly #connections = new Set<Deno.Conn>();
  #whole = Promise.withResolvers<void>();

  /** @param url of the database */
  constructor(url: string) {
    const address = new URL(url);
    this.#target = { hostname: address.hostname, port: Number(address.port) };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    address.port = String((this.#listener.addr as Deno.NetAddr).port);
    this.url = address.href;
    this.#whole.resolve();
    void this.#accept();
  }

  /** From now on nothing comes through. */
  cut(): void {
    this.#whole = Promise.withResolvers<void>();
  }

  /** Mends it. What was under way is lost, as it is when a network has been away for long. */
  mend(): void {
    for (const connection of this.#connections) end(connection);
    this.#whole.resolve();
  }

  close(): Promise<void> {
    this.#whole.resolve();
    this.#listener.close();
    for (const connection of this.#connections) end(connection);
    return Promise.resolve();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) void this.#connect(near);
  }

  async #connect(near: Deno.Conn): Promise<void> {
    this.#connections.add(near);
    try {
      await this.#whole.promise;
      const far = await Deno.connect(this.#target);
      this.#connections.add(far);
      await Promise.all([this.#pass(near, far), this.#pass(far, near)]);
    } catch {
      end(near); // the server is down: so is this way to it
    }
  }

  async #pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const size = await from.read(buffer);
        await this.#whole.promise;
        if (size === null) break;
        for (let sent = 0; sent < size;) sent += await to.write(buffer.subarray(sent, size));
      }
    } catch {
      // One side has gone; the other has to learn of it.
    }
    for (const connection of [from, to]) {
      this.#connections.delete(connection);
      end(connection);
    }
  }
}

function end(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It was closed already.
  }
}
