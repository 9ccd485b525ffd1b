/**
 * Standard output or standard error, as a sink that says exactly how much it has taken.
 * @module
 */
import type { Sink } from "./line_writer.ts";

const NOTHING = new Uint8Array(0);

/** How much the runtime's own buffer holds, in bytes. */
const BUFFER_BYTES = 1_024;

/**
 * The runtime writes these streams through a buffer of its own. When a disk takes a part of a write, as much of the
 * rest as are whole lines waits there, is written before anything else later, and yet the write is told to have
 * failed. Whether that happened is found out by writing nothing: this fails as long as the buffer cannot be emptied.
 * A write that is no longer than the buffer was then taken as a whole; of a longer one, a part that is not known.
 *
 * A write waits on a thread of the runtime's, which the end of the process does not wait for.
 */
export class StandardStream implements Sink {
  readonly #stream: Sink;
  #isHolding = false;

  constructor(stream: Sink) {
    this.#stream = stream;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isHolding) {
      await this.#stream.write(NOTHING);
      this.#isHolding = false;
    }
    try {
      return await this.#stream.write(bytes);
    } catch (error) {
      this.#isHolding = await this.#stream.write(NOTHING).then(() => false, () => true);
      if (this.#isHolding && bytes.length <= BUFFER_BYTES) return bytes.length;
      throw error;
    }
  }
}
