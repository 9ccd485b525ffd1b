/**
 * One wall clock for all replicas: the database's. Each reads instants that the others wrote, and says by its own
 * clock whether a QR is still valid; the clocks of their machines may differ, and may be set.
 * @module
 */
import type { Clock } from "../runtime/clock.ts";

/** Differences up to this are the network's, not the clock's; in milliseconds. */
const TOLERANCE_MS = 250;

/**
 * The machine's clock until the database has told its own for the first time. From then on the machine's wall clock
 * counts no more: between two answers of the database it is steady time that goes on.
 */
export class SharedClock implements Clock {
  readonly #base: Clock;
  /** Wall time at the origin of steady time; null while the machine's wall clock is followed. */
  #origin: number | null = null;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#origin === null ? this.#base.now() : Math.floor(this.#origin + this.#base.steady());
  }

  steady(): number {
    return this.#base.steady();
  }

  random(): number {
    return this.#base.random();
  }

  after(ms: number, callback: () => void): () => void {
    return this.#base.after(ms, callback);
  }

  /**
   * Follows the database's clock.
   * @param told what it said, in answer to a question
   * @param asked when that was asked, by steady time
   */
  follow(told: number, asked: number): void {
    const answered = this.steady();
    this.#origin ??= this.#base.now() - answered;
    // It was read off between the question and the answer.
    const early = told - (this.#origin + answered);
    const late = told - (this.#origin + asked);
    if (late < -TOLERANCE_MS || early > TOLERANCE_MS) this.#origin += Math.round((early + late) / 2);
  }
}
