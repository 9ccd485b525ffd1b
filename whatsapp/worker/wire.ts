/**
 * The WebSocket below a Baileys socket, which Baileys keeps to itself.
 * @module
 */

/** What is used of `ws`' own socket. */
export interface RawWire {
  send(...frame: unknown[]): void;
  once(event: "close", listener: () => void): void;
  /** Cuts the connection without the closing handshake. */
  terminate(): void;
}

/** How long a socket that is over may take for the closing handshake before it is cut, in milliseconds. */
const CLOSE_MS = 2_000;

/** The WebSocket of one Baileys socket: holds frames back, and tells when the connection is down. */
export class Wire {
  readonly #raw: RawWire;
  /** Frames that are not to leave yet, in their order; null while all of them leave. */
  #held: unknown[][] | null = null;
  /** Resolves once the connection is down. */
  readonly down: Promise<void>;

  constructor(raw: RawWire) {
    this.#raw = raw;
    // Of the wire itself: Baileys stops listening once it has begun to close.
    this.down = new Promise((resolve) => raw.once("close", resolve));
  }

  /**
   * Keeps every frame from now on. Each is encrypted already, and numbered by that: they leave in their order, or
   * none of them does.
   */
  hold(): void {
    const held: unknown[][] = this.#held = [];
    this.#raw.send = (...frame) => void held.push(frame);
  }

  /** Lets go what was held, and whatever follows. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    Reflect.deleteProperty(this.#raw, "send"); // the prototype's own again
    for (const frame of held) this.#raw.send(...frame);
  }

  /** Cuts the connection if frames are held: they never leave. */
  dropHeld(): void {
    if (this.#held === null) return;
    this.#held.length = 0;
    this.terminate();
  }

  terminate(): void {
    this.#raw.terminate();
  }

  /** Gives the closing handshake its time, which a dead peer would never answer; resolves once it is down. */
  async cutSoon(): Promise<void> {
    const cut = setTimeout(() => this.terminate(), CLOSE_MS);
    await this.down;
    clearTimeout(cut);
  }
}
