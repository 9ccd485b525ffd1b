/**
 * A session's sockets of one kind: at most one is at work, those before it may still be going down.
 * @module
 */
import type { ClosedConnection, Socket } from "./ports/sockets.ts";

/** The sockets of one kind that a session has had: the current one, and those that are still closing. */
export class SocketLine {
  #socket: Socket | null = null;
  /** Counts sockets: a report from any but the last one is stale. */
  #generation = 0;
  readonly #connections = new Set<Promise<ClosedConnection>>();

  /** Whether any connection is not down yet, be its socket at work or over. */
  get isConnected(): boolean {
    return this.#connections.size > 0;
  }

  /** Whether the connection of a socket that is over is not down yet. */
  get isTearingDown(): boolean {
    return this.#connections.size > (this.#socket === null ? 0 : 1);
  }

  /** When the socket at work last heard from WhatsApp; null without one, and before the first time. */
  get heardAt(): number | null {
    return this.#socket?.heardAt ?? null;
  }

  /** Resolves once every connection so far is down. */
  async down(): Promise<void> {
    await Promise.all(this.#connections);
  }

  /**
   * Puts a new socket to work; one that is still at work is closed.
   * @param open is given what tells whether a report of this socket still counts
   * @param onGone called once its connection is down
   * @returns resolves then, too
   */
  open(open: (isStale: () => boolean) => Socket, onGone: () => void): Promise<ClosedConnection> {
    this.close(false);
    const generation = this.#generation;
    const socket = open(() => generation !== this.#generation);
    this.#socket = socket;
    const { gone } = socket;
    this.#connections.add(gone);
    void gone.then(() => {
      this.#connections.delete(gone);
      onGone();
    });
    return gone;
  }

  /**
   * Ends the socket at work, if there is one; nothing more is heard of it.
   * @returns resolves once its connection is down; null where there is none
   */
  close(unlink: boolean): Promise<ClosedConnection> | null {
    this.#generation++;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close({ unlink });
    return socket?.gone ?? null;
  }

  /** Notes that the socket at work has ended by itself. */
  ended(): void {
    this.#socket = null;
  }
}
