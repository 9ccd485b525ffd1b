/**
 * Lines on their way to a stream that may be slow, full or gone. Writing one never throws and never waits: what
 * the stream does not take is dropped, counted, and told once the stream takes lines again.
 * @module
 */

/** Where bytes go. */
export interface Sink {
  /** Resolves to how many bytes were taken, which may be fewer than were given; rejects when none were. */
  write(bytes: Uint8Array): Promise<number>;
}

export interface LineWriterOptions {
  /** The line, its newline included, that says how many lines are missing in its place. */
  readonly gapLine: (lines: number) => string;
  /** How many bytes wait for the stream at most, beside those that it is being given; whole lines only. */
  readonly capacityBytes?: number;
  /** How long a line waits for others to be written with, in milliseconds. */
  readonly gatherMs?: number;
  /** How long a stream that failed is left alone, in milliseconds. */
  readonly retryMs?: number;
  /** How long a stream that has no room just now is left alone, in milliseconds. */
  readonly busyMs?: number;
}

/**
 * Some 2,000 lines. Enough for what a thousand sessions say in one turn of the event loop, within which nothing
 * can be written (a worker that is lost ends all its sockets in one turn), and for a reader that pauses for a
 * moment. There are two buffers of this size, one to fill while the other is written.
 */
const CAPACITY_BYTES = 2 ** 19;

/**
 * A write is a trip to another thread and back, 50 µs of processor time, which lines that come together share.
 * Nobody who follows a log notices the delay.
 */
const GATHER_MS = 20;

const RETRY_MS = 1_000;

const BUSY_MS = 50;

/**
 * How many bytes are written together: whole lines, unless one alone is longer. A pipe takes as many as one piece
 * (`PIPE_BUF` is 4,096 on Linux), so that no line is torn when the process ends while its reader pauses; and the
 * runtime's buffer, see {@link StandardStream}, takes them all or none.
 */
const PIECE_BYTES = 1_024;

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

export class LineWriter {
  readonly #sink: Sink;
  readonly #options: Required<LineWriterOptions>;
  #filling: Uint8Array;
  #spare: Uint8Array;
  /** How many bytes of the buffer that is being filled are lines. */
  #filled = 0;
  /** Lines that were dropped before the first of these, and have not been told. */
  #gap = 0;
  /** Lines that were dropped after the last of these. While there are any, no line is taken: it would be out of order. */
  #overflow = 0;
  /** The rest of a line of which the stream has taken a part. */
  #torn: Uint8Array = NOTHING;
  /** How many dropped lines that line tells of; 0 when it is one of ours. */
  #tornTells = 0;
  /** Whether the stream's last answer was an error. No line is taken until one has been written again. */
  #isFailing = false;
  /** Whether that error said that there is no reader any more. */
  #isBroken = false;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | null = null;

  constructor(sink: Sink, options: LineWriterOptions) {
    this.#sink = sink;
    this.#options = {
      capacityBytes: CAPACITY_BYTES,
      gatherMs: GATHER_MS,
      retryMs: RETRY_MS,
      busyMs: BUSY_MS,
      ...options,
    };
    this.#filling = new Uint8Array(this.#options.capacityBytes);
    this.#spare = new Uint8Array(this.#options.capacityBytes);
  }

  /** How many lines have been dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line, its newline included, or drops it. */
  write(line: string): void {
    if (this.#isFailing) return this.#drop(1);
    if (this.#overflow > 0 || !this.#take(line)) {
      this.#overflow++;
      this.#dropped++;
    }
    if (this.#writing === null && this.#timer === undefined) this.#schedule(this.#options.gatherMs);
  }

  /**
   * Resolves once everything has been written or dropped, or after `withinMs` milliseconds. Never rejects.
   */
  async flush(withinMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(true), withinMs);
    do {
      this.#start();
      if (this.#writing === null || await Promise.race([this.#writing.then(() => false), late])) break;
    } while (!this.#isFailing);
    clearTimeout(timer);
  }

  /** Whether there was room for the whole line. */
  #take(line: string): boolean {
    const { read, written } = encoder.encodeInto(line, this.#filling.subarray(this.#filled));
    if (read < line.length) return false;
    this.#filled += written;
    return true;
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => this.#start(), ms);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing !== null || this.#filled + this.#gap + this.#overflow + this.#torn.length === 0) return;
    this.#writing = this.#round().then(() => {
      this.#writing = null;
      if (this.#isFailing) this.#schedule(this.#options.retryMs);
      else if (this.#filled + this.#gap + this.#overflow > 0) this.#schedule(this.#options.gatherMs);
    });
  }

  /** Writes what there is: the rest of a torn line, what was dropped since, and what was taken since. */
  async #round(): Promise<void> {
    this.#isFailing = false;
    const finished = await this.#put(this.#torn);
    this.#torn = this.#torn.subarray(finished);
    if (this.#torn.length > 0) return this.#fail();
    if (this.#gap > 0) {
      const told = this.#gap;
      this.#gap = 0;
      const line = encoder.encode(this.#options.gapLine(told));
      const taken = await this.#put(line);
      if (taken === 0) this.#gap += told;
      else this.#keep(line.subarray(taken), told);
      if (taken < line.length) return this.#fail();
    }
    const batch = this.#filling.subarray(0, this.#filled);
    [this.#filling, this.#spare] = [this.#spare, this.#filling];
    this.#filled = 0;
    this.#gap = this.#overflow;
    this.#overflow = 0;
    const taken = await this.#put(batch);
    if (taken === batch.length) return;
    const next = startOfLine(batch, taken);
    this.#keep(batch.slice(taken, next), 0);
    this.#drop(linesIn(batch.subarray(next)));
    this.#fail();
  }

  /** How many of these bytes the stream has taken: all, or fewer when it failed. */
  async #put(bytes: Uint8Array): Promise<number> {
    let taken = 0;
    while (taken < bytes.length) {
      try {
        const more = await this.#sink.write(bytes.subarray(taken, endOfPiece(bytes, taken)));
        if (more === 0) await pause(this.#options.busyMs);
        taken += more;
      } catch (error) {
        const name = error instanceof Error ? error.name : "";
        // Somebody who shares the stream has asked it never to wait, and it has no room just now.
        if (name === "WouldBlock") await pause(this.#options.busyMs);
        else if (name !== "Interrupted") {
          this.#isBroken = name === "BrokenPipe" || name === "ConnectionReset";
          break;
        }
      }
    }
    return taken;
  }

  /** Drops what waits, and takes nothing more until the next attempt. */
  #fail(): void {
    this.#isFailing = true;
    // Elsewhere the rest of a torn line is kept, since whatever is written next continues it. Here its beginning
    // has been lost together with its reader.
    if (this.#isBroken && this.#torn.length > 0) {
      this.#torn = NOTHING;
      if (this.#tornTells > 0) this.#gap += this.#tornTells;
      else this.#drop(1);
    }
    this.#drop(linesIn(this.#filling.subarray(0, this.#filled)));
    this.#gap += this.#overflow;
    this.#filled = 0;
    this.#overflow = 0;
  }

  #keep(torn: Uint8Array, tells: number): void {
    this.#torn = torn;
    this.#tornTells = tells;
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#gap += lines;
  }
}

/** Where to end a write that begins here. */
function endOfPiece(bytes: Uint8Array, from: number): number {
  const limit = from + PIECE_BYTES;
  if (bytes.length <= limit) return bytes.length;
  const last = bytes.lastIndexOf(NEWLINE, limit - 1);
  return last >= from ? last + 1 : limit;
}

/** The first line's start that is not before this place. */
function startOfLine(bytes: Uint8Array, from: number): number {
  return from === 0 || bytes[from - 1] === NEWLINE ? from : bytes.indexOf(NEWLINE, from) + 1 || bytes.length;
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
