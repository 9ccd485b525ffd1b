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

/** How much is kept for a slow stream, and for how long. */
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
 * Some 4,000 lines: what a thousand sessions say in one turn of the event loop, within which nothing can be written
 * (a worker that is lost ends all its sockets in one turn), or a third of a second of a flood of 12,000 requests a
 * second on a machine that lets the log's reader wait. Two buffers are of this size, one to fill while the other is
 * written.
 */
const CAPACITY_BYTES = 2 ** 20;

/**
 * A write is a trip to another thread and back, 50 µs of processor time and more, which lines that come one after
 * another share: only the first is written immediately. Nobody who follows a log notices the delay.
 */
const GATHER_MS = 20;

const RETRY_MS = 1_000;

const BUSY_MS = 50;

/**
 * How many bytes are written together: whole lines, unless one alone is longer. The runtime's buffer takes 1,024 as
 * one piece, see {@link StandardStream}, so that no line is counted as dropped that was written. Small pieces do not
 * keep up with a flood, for the event loop starts one a turn, and a turn is long then. 4,096 are still one piece to a
 * pipe (`PIPE_BUF`), so that no line is torn when the process ends while its reader pauses.
 */
const PIECE_BYTES = 1_024;
const LARGER_PIECES = [
  { waitingBytes: 2 ** 17, bytes: 2 ** 16 },
  { waitingBytes: 2 ** 15, bytes: 4_096 },
];

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Lines in their order, whole, on their way to one stream. */
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
  /** Whether a write is about to begin. */
  #isStarting = false;
  /** When the last write was over, in milliseconds. */
  #wroteAt = 0;

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
    if (this.#writing !== null || this.#timer !== undefined || this.#isStarting) return;
    const quietMs = Date.now() - this.#wroteAt;
    // The clock may have been set back.
    if (quietMs >= 0 && quietMs < this.#options.gatherMs) return this.#schedule(this.#options.gatherMs);
    // Together with what is said in the same breath.
    this.#isStarting = true;
    queueMicrotask(() => this.#start());
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
    this.#isStarting = false;
    if (this.#writing !== null || this.#filled + this.#gap + this.#overflow + this.#torn.length === 0) return;
    this.#writing = this.#round().then(() => {
      this.#writing = null;
      this.#wroteAt = Date.now();
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

/** Where to end a write that begins here: after whole lines, or within one that is longer than a piece. */
function endOfPiece(bytes: Uint8Array, from: number): number {
  const larger = LARGER_PIECES.find(({ waitingBytes }) => bytes.length - from > waitingBytes);
  const limit = from + (larger?.bytes ?? PIECE_BYTES);
  let end = from;
  while (end < bytes.length) {
    const next = startOfLine(bytes, end + 1);
    if (next - end > PIECE_BYTES) return end > from ? end : from + PIECE_BYTES;
    if (next > limit) break;
    end = next;
  }
  return end;
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
