/**
 * One clock for all replicas: the database's. Each reads instants that the others wrote, and says by its own clock
 * whether a QR is still valid; the clocks of their machines may differ.
 * @module
 */
import type { Clock } from "../whatsapp/clock.ts";

/** Differences up to this are the network's, not the clock's; in milliseconds. */
const TOLERANCE_MS = 250;

export class SharedClock implements Clock {
  readonly #base: Clock;
  #aheadMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now() + this.#aheadMs;
  }

  steady(): number {
    return this.#base.steady();
  }

  fromMachine(instant: number): number {
    return this.#base.fromMachine(instant) + this.#aheadMs;
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
   * @param asked when that was asked, by this clock
   */
  follow(told: number, asked: number): void {
    const answered = this.now();
    // It was read off between the question and the answer.
    const early = told - answered;
    const late = told - asked;
    if (late < -TOLERANCE_MS || early > TOLERANCE_MS) this.#aheadMs += Math.round((early + late) / 2);
  }
}
