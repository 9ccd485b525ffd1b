/**
 * A worker's monotonic time, as the main thread knows it. Each thread counts from an origin of its own, at the same
 * rate; what a worker says of its time is a little old when it arrives.
 * @module
 */

export class WorkerTime {
  readonly #own: () => number;
  /** By how much our count is ahead of the worker's, at most. */
  #aheadMs = Number.POSITIVE_INFINITY;

  /** @param own this thread's monotonic time, in milliseconds */
  constructor(own: () => number) {
    this.#own = own;
  }

  /**
   * Takes note of the worker's time in a message that has just arrived.
   * @param now what it was when the message was sent
   */
  hear(now: number): void {
    // The message that was on its way for the shortest time says it best.
    this.#aheadMs = Math.min(this.#aheadMs, this.#own() - now);
  }

  /**
   * A moment by this thread's count: never earlier than it was, later by no more than the fastest message so far was
   * on its way, and never after now. Only once the worker's time has been heard.
   * @param moment by the worker's count
   */
  of(moment: number): number {
    return moment + this.#aheadMs;
  }
}
