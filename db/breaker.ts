/**
 * The circuit breaker of a database that is elsewhere: who asks one that has fallen silent is refused immediately, and
 * holds no connection and no timer, until a probe has been answered.
 *
 * A slow statement says nothing of the others, and a lock holds up those alone that want it. So silence is a suspicion,
 * and the breaker opens only when a probe of its own, which waits for nothing and nobody, goes unanswered too. What comes
 * back need not be what was asked for: a server that refuses is not silent.
 * @module
 */

/** In milliseconds. */
export interface BreakerBounds {
  /** How long there may be questions and no answer to any of them, before a probe sets out. */
  readonly silenceMs: number;
  /** How long that probe may take before the database counts as silent. */
  readonly doubtMs: number;
  /** From the end of one probe of a silent database to the next. */
  readonly pauseMs: number;
}

/** A call is answered within `silenceMs` and `doubtMs`: with what it takes besides, within 3 s. */
export const BREAKER_BOUNDS: BreakerBounds = { silenceMs: 1_800, doubtMs: 500, pauseMs: 500 };

const LAST_LOOK_MS = 100;

/** By what the breaker measures. */
export interface Time {
  /** Monotonic, in milliseconds. */
  steady(): number;
  /** Calls back once, after `ms` milliseconds; the returned function calls it off. */
  after(ms: number, callback: () => void): () => void;
}

const MACHINE: Time = {
  steady: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** How the breaker asks the database, and whom it tells. */
export interface BreakerOptions {
  /**
   * Asks the database something over a connection of its own. Resolves with any answer, a refusal too; rejects when
   * there was none within the probe's own bounds, or the signal has aborted.
   */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Called whenever the breaker opens, before anybody is refused. */
  readonly onOpen?: () => void;
  /** Called whenever the database answers again. */
  readonly onClose?: () => void;
  readonly bounds?: Partial<BreakerBounds>;
  readonly time?: Time;
}

/** The database is known not to answer. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";
  /** As the driver names what has not been answered in time. */
  readonly code = "ETIMEDOUT";
  /** Resolves once it answers again, or is given up for good. */
  readonly recovery: Promise<void>;
  constructor(recovery: Promise<void>, message = "The database does not answer.") {
    super(message);
    this.recovery = recovery;
  }
}

/** Something that the database was asked, and has not answered yet. */
interface Question {
  readonly since: number;
  readonly giveUp: (error: SilenceError) => void;
}

/** Refuses questions to a database that has fallen silent, until a probe is answered. */
export class Breaker {
  readonly #probe: BreakerOptions["probe"];
  readonly #onOpen: () => void;
  readonly #onClose: () => void;
  readonly #bounds: BreakerBounds;
  readonly #time: Time;
  /** In the order in which they were asked. */
  readonly #questions = new Set<Question>();
  readonly #ending = new AbortController();
  /** When anything came back last, by steady time. */
  #answeredAt = -Infinity;
  /** Calls off the next look; null while nothing is asked. */
  #cancelLook: (() => void) | null = null;
  #isProbing = false;
  /** Resolves when the silence is over; null while there is none. */
  #recovery: PromiseWithResolvers<void> | null = null;

  constructor({ probe, onOpen = () => {}, onClose = () => {}, bounds, time = MACHINE }: BreakerOptions) {
    this.#probe = probe;
    this.#onOpen = onOpen;
    this.#onClose = onClose;
    this.#bounds = { ...BREAKER_BOUNDS, ...bounds };
    this.#time = time;
  }

  /** Whether the database is known not to answer. */
  get isOpen(): boolean {
    return this.#recovery !== null;
  }

  /** @throws {SilenceError} while the database is known not to answer */
  admit(): void {
    if (this.#recovery !== null) throw new SilenceError(this.#recovery.promise);
  }

  /**
   * Something is asked from now on.
   * @param giveUp called, at most once, when it is not to be waited for any longer; the question is over then
   * @returns ends the question; safe to call twice
   */
  ask(giveUp: (error: SilenceError) => void): () => void {
    const question: Question = { since: this.#time.steady(), giveUp };
    this.#questions.add(question);
    if (this.#cancelLook === null && !this.#isProbing) this.#lookIn(this.#bounds.silenceMs);
    return () => void this.#questions.delete(question);
  }

  /** Something has come back from the database, whatever it is. */
  heard(): void {
    this.#answeredAt = this.#time.steady();
  }

  /** Gives up whatever is asked, and refuses from now on; nothing is probed any more. */
  end(): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#cancelLook?.();
    this.#recovery ??= Promise.withResolvers();
    this.#recovery.resolve();
    this.#giveUpAll(this.#recovery.promise);
  }

  // One timer for all questions: it goes off when there may have been silence for long enough, and no sooner.
  #lookIn(ms: number): void {
    if (this.#ending.signal.aborted) return;
    this.#cancelLook = this.#time.after(ms, () => {
      this.#cancelLook = null;
      this.#look();
    });
  }

  #look(): void {
    const [oldest] = this.#questions;
    if (oldest === undefined) return;
    const silentFor = this.#time.steady() - Math.max(oldest.since, this.#answeredAt);
    const leftMs = this.#bounds.silenceMs - silentFor;
    if (leftMs > 0) this.#lookIn(Math.ceil(leftMs));
    else void this.#suspect();
  }

  /** Probes until there is an answer; opens when the first takes too long. */
  async #suspect(): Promise<void> {
    this.#isProbing = true;
    const { signal } = this.#ending;
    // In two steps: where this process itself was held up, what has come meanwhile is read before the second is over.
    let cancelDoubt = this.#time.after(this.#bounds.doubtMs - LAST_LOOK_MS, () => {
      cancelDoubt = this.#time.after(LAST_LOOK_MS, () => this.#open());
    });
    while (!signal.aborted && !await this.#isAnswered()) await this.#pause();
    cancelDoubt();
    this.#isProbing = false;
    this.heard();
    this.#close(); // and with that, something may be asked already
    if (this.#questions.size > 0 && this.#cancelLook === null) this.#lookIn(this.#bounds.silenceMs);
  }

  async #isAnswered(): Promise<boolean> {
    try {
      await this.#probe(this.#ending.signal);
      return true;
    } catch {
      return false;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#ending;
      if (signal.aborted) return resolve();
      const done = () => {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#time.after(this.#bounds.pauseMs, done);
      signal.addEventListener("abort", done);
    });
  }

  #open(): void {
    if (this.#ending.signal.aborted) return;
    this.#recovery = Promise.withResolvers();
    this.#onOpen();
    this.#giveUpAll(this.#recovery.promise);
  }

  #giveUpAll(recovery: Promise<void>): void {
    const error = new SilenceError(recovery);
    for (const question of [...this.#questions]) {
      if (this.#questions.delete(question)) question.giveUp(error);
    }
  }

  #close(): void {
    const recovery = this.#recovery;
    if (recovery === null || this.#ending.signal.aborted) return;
    this.#recovery = null;
    recovery.resolve();
    this.#onClose();
  }
}
