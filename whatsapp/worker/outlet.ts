/**
 * A socket's way to the main thread: what it sends, and what it waits for.
 * @module
 */
import type { SocketRequest } from "../../sessions/ports/sockets.ts";
import type { Report, SocketId, WorkerEvent } from "../protocol.ts";
import type { PendingRequests } from "./requests.ts";

/** What the sockets of a worker wait for; null for a request that failed for good. */
export type SocketRequests = PendingRequests<ReadonlyMap<string, string> | null>;

/** What one socket sends to the main thread, and asks of it; silent once the socket is over. */
export class Outlet {
  readonly #socket: SocketId;
  readonly #requests: SocketRequests;
  readonly #report: (report: Report) => void;
  #isOver = false;

  /** @param report sends a report to the main thread */
  constructor(socket: SocketId, requests: SocketRequests, report: (report: Report) => void) {
    this.#socket = socket;
    this.#requests = requests;
    this.#report = report;
  }

  /**
   * Sends an event. `closed` is the last one, and always comes unless the socket was told to close: what the socket's
   * code sends afterwards is dropped.
   * @param at when it happened, by this thread's monotonic time, in milliseconds
   */
  send(event: WorkerEvent, at: number): void {
    if (this.#isOver) return;
    this.#isOver = event.type === "closed";
    this.#report({ type: "event", socket: this.#socket, event, at, now: performance.now() });
  }

  /**
   * Asks the main thread. There is no deadline: a write that is not durable is not acknowledged, however long that
   * takes. The request ends with the socket.
   * @throws {Error} when the request fails for good, and when the socket is over
   */
  async request(request: SocketRequest): Promise<ReadonlyMap<string, string>> {
    if (this.#isOver) throw new Error("The socket is over.");
    const { id, answer } = this.#requests.add({ socket: this.#socket });
    this.#report({ type: "request", socket: this.#socket, id, request });
    const values = await answer;
    if (values === null) throw new Error("The main thread could not answer.");
    return values;
  }

  /** Reports that the socket's connection is down, and ends what the socket waits for. */
  end(unlinked: boolean): void {
    this.#isOver = true;
    this.#requests.endSocket(this.#socket, new Error("The socket is over."));
    this.#report({ type: "gone", socket: this.#socket, unlinked });
  }
}
