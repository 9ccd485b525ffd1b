import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { type BinaryNode, encodeBinaryNode } from "@whiskeysockets/baileys";
import type { RawData, WebSocket } from "ws";
import { frame, FrameReader } from "./frames.ts";
import type { Transport } from "./noise.ts";

const GARBAGE_BYTES = 64;

/** What a channel tells its owner. */
export interface ChannelOwner {
  /** The next payload, still encrypted. What it throws cuts the connection. */
  onFrame(payload: Buffer): void;
  /** The client broke the protocol: bytes that are no stream, or an error out of `onFrame`. */
  onBroken(): void;
  /** The WebSocket is gone; called once. */
  onClosed(): void;
}

/** One WebSocket: frames in, frames and nodes out, and every way of ending it. */
export class Channel {
  readonly #ws: WebSocket;
  readonly #raw: Duplex;
  readonly #reader = new FrameReader();
  // Made on demand: most connections never wait for anything.
  #timers: Map<ReturnType<typeof setTimeout>, (isOpen: boolean) => void> | null = null;
  #isSilent = false;
  /** Set when the handshake is over; nodes can be sent from then on. */
  transport: Transport | null = null;

  constructor(ws: WebSocket, raw: Duplex, owner: ChannelOwner) {
    this.#ws = ws;
    this.#raw = raw;
    ws.on("message", (data: RawData) => {
      if (this.#isSilent) return;
      try {
        for (const payload of this.#reader.push(data as Buffer)) owner.onFrame(payload);
      } catch {
        owner.onBroken();
        this.terminate();
      }
    });
    ws.on("error", () => {}); // 'close' follows, and says all that there is to do
    ws.on("close", () => {
      this.#clearTimers();
      owner.onClosed();
    });
  }

  /** Whether both sides still hold the WebSocket open. */
  get isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** The four bytes that opened the client's stream; null until they arrived. */
  get header(): Uint8Array | null {
    return this.#reader.header;
  }

  /** Sends a handshake message, as it is. */
  sendPlain(payload: Uint8Array): void {
    if (this.isOpen) this.#ws.send(frame(payload));
  }

  /** Encrypts and sends a node; nothing happens before the handshake is over or after the end. */
  send(node: BinaryNode): void {
    if (this.transport !== null && this.isOpen && !this.#isSilent) {
      this.#ws.send(frame(this.transport.encrypt(encodeBinaryNode(node))));
    }
  }

  /** Sends a well-framed payload that nobody can decrypt. */
  sendGarbage(): void {
    this.sendPlain(randomBytes(GARBAGE_BYTES));
  }

  close(): void {
    this.#ws.close();
  }

  /** Cuts TCP, without a close frame. */
  terminate(): void {
    this.#ws.terminate();
  }

  /**
   * Makes this side a dead peer behind an open TCP connection: it neither answers nor acknowledges a close. The
   * client's going is still noticed, so that its socket does not count as open for ever.
   */
  silence(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    const swallow = (...args: unknown[]): boolean => {
      const callback = args.at(-1);
      if (typeof callback === "function") queueMicrotask(() => callback());
      return true;
    };
    this.#raw.write = swallow as Duplex["write"];
    this.#raw.end = ((...args: unknown[]) => (swallow(...args), this.#raw)) as Duplex["end"];
    this.#raw.once("end", () => this.#raw.destroy());
  }

  /** Resolves after `ms` with true, or with false as soon as the connection is gone. */
  pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#timers ??= new Map();
      const timers = this.#timers;
      const timer = setTimeout(() => {
        timers.delete(timer);
        resolve(this.isOpen);
      }, ms);
      timers.set(timer, resolve);
    });
  }

  #clearTimers(): void {
    if (this.#timers === null) return;
    for (const [timer, resolve] of this.#timers) {
      clearTimeout(timer);
      resolve(false);
    }
    this.#timers = null;
  }
}
