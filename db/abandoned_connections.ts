/**
 * Connections that were given up while a statement was under way. The server need not know: it may wait for a lock, or may
 * never have been sent the end of the connection, and keeps what locks that one has. So it is told, over another.
 * @module
 */

/** A connection, as the server knows it. */
interface Connection {
  readonly id: number;
  /** Of this end. With the id alone, another server's connection could be ended after a failover. */
  readonly port: number;
}

/** Carries out a statement over some connection; rows, where it gives any. */
export type RunStatement = (text: string, parameters: readonly unknown[]) => Promise<unknown>;

/** More than a pool has; what is beyond that the server finds out by itself. */
const KEPT = 100;

/** The connections that were given up, until the server has been told to end them. */
export class AbandonedConnections {
  readonly #connections = new Set<Connection>();
  #isEnding = false;

  /** How many the server has not been told of. */
  get size(): number {
    return this.#connections.size;
  }

  /** @param port of this end; undefined where it has none any more, and then the server cannot be told */
  add(id: number, port: number | undefined): void {
    if (port === undefined || this.#connections.size >= KEPT) return;
    this.#connections.add({ id, port });
  }

  /** Ends them at the server, as far as it can be reached; never fails. */
  async end(run: RunStatement): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    try {
      for (const connection of this.#connections) {
        const { id, port } = connection;
        // Behind a proxy the port is another, and nothing is ended.
        const found = await run(
          "select id from information_schema.processlist where id = ? and db = database() and host like ?",
          [id, `%:${port}`],
        );
        // One that has just ended by itself is unknown.
        if (Array.isArray(found) && found.length > 0) await run(`kill ${id}`, []).catch(() => {});
        this.#connections.delete(connection);
      }
    } catch {
      // Once the server answers again.
    } finally {
      this.#isEnding = false;
    }
  }
}
