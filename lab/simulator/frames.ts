import { Buffer } from "node:buffer";

/** The client's opening bytes were not those of the protocol. */
export class HeaderError extends Error {
  override name = "HeaderError";
}

const WA_HEADER_BYTES = 4;
const ROUTING_PREFIX_BYTES = 7;
const LENGTH_BYTES = 3;
const EMPTY = Buffer.alloc(0);

/** Puts the three-byte big-endian length before a payload. */
export function frame(payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + payload.byteLength);
  framed.writeUIntBE(payload.byteLength, 0, LENGTH_BYTES);
  framed.set(payload, LENGTH_BYTES);
  return framed;
}

/**
 * Cuts a client's byte stream into frames: first the header (`WA`, or `ED` with routing information and then
 * `WA`), then length-prefixed payloads, whatever way they are spread over messages.
 */
export class FrameReader {
  #pending: Buffer = EMPTY;
  #header: Buffer | null = null;
  #routingInfo: Buffer | null = null;

  /** The four header bytes, which the handshake mixes into its hash; null until they arrived. */
  get header(): Uint8Array | null {
    return this.#header;
  }

  /** What followed `ED`, for a client that was told a preferred edge; null otherwise. */
  get routingInfo(): Uint8Array | null {
    return this.#routingInfo;
  }

  /**
   * Takes the next bytes and returns the payloads that are now complete.
   * @throws {HeaderError} when the stream does not begin as the protocol says
   */
  push(chunk: Uint8Array): Buffer[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (this.#header === null && !this.#readHeader()) return [];
    const payloads: Buffer[] = [];
    while (this.#pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#pending.readUIntBE(0, LENGTH_BYTES);
      if (this.#pending.length < end) break;
      payloads.push(this.#pending.subarray(LENGTH_BYTES, end));
      this.#pending = this.#pending.subarray(end);
    }
    return payloads;
  }

  #readHeader(): boolean {
    let start = 0;
    if (this.#startsWith("ED")) {
      if (this.#pending.length < ROUTING_PREFIX_BYTES) return false;
      start = ROUTING_PREFIX_BYTES + this.#pending.readUIntBE(4, LENGTH_BYTES);
    }
    if (this.#pending.length < start + WA_HEADER_BYTES) return false;
    const header = this.#pending.subarray(start, start + WA_HEADER_BYTES);
    if (header[0] !== 0x57 || header[1] !== 0x41) throw new HeaderError("the stream does not begin with WA");
    if (start > 0) this.#routingInfo = this.#pending.subarray(ROUTING_PREFIX_BYTES, start);
    this.#header = header;
    this.#pending = this.#pending.subarray(start + WA_HEADER_BYTES);
    return true;
  }

  #startsWith(text: string): boolean {
    return this.#pending.length >= text.length && this.#pending.toString("latin1", 0, text.length) === text;
  }
}
