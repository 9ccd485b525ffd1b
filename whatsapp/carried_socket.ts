/**
 * One socket of a worker, from its opening until its connection is down, as the main thread knows it.
 * @module
 */
import type { ClosedConnection, Purpose, SocketEvent, SocketListener } from "../sessions/ports/sockets.ts";
import { SocketSequence } from "./socket_sequence.ts";

/** The main thread's side of one socket. */
export class CarriedSocket {
  /** Null once it is not to be called any more. */
  listener: SocketListener | null;
  /** When WhatsApp last sent something, by steady time. */
  heardAt: number | null = null;
  /** Resolves once the connection is down. */
  readonly gone: PromiseWithResolvers<ClosedConnection> = Promise.withResolvers();
  readonly sequence: SocketSequence;
  #hasShownQr = false;

  constructor(purpose: Purpose, listener: SocketListener) {
    this.listener = listener;
    this.sequence = new SocketSequence(purpose.kind);
  }

  /** Notes that the socket was told to close: whatever it still sends is ignored. */
  markClosing(): void {
    this.listener = null;
    this.sequence.markClosing();
  }

  /** Passes an event on to the listener. @param at by steady time, in milliseconds */
  pass(event: SocketEvent, at: number): void {
    const { listener } = this;
    if (event.type === "qr") this.#hasShownQr = true;
    if (event.type === "closed") this.listener = null;
    listener?.onEvent(event, at);
  }

  /** Whether this is the end of a socket that WhatsApp has not answered. A pairing that is not scanned ends alike. */
  isUnansweredBy(event: SocketEvent): boolean {
    if (event.type !== "closed" || this.#hasShownQr) return false;
    return event.cause.origin === "client" && event.cause.code === 408;
  }
}
