/**
 * A worker's monotonic time, translated into the main thread's. Each thread counts from an origin of its own, at the
 * same rate; a time that a worker sends is a little old when it arrives.
 * @module
 */
import type { Clock } from "../runtime/clock.ts";

/**
 * No moment that a worker tells is believed to be further back than this, or in the future: its clock is the same,
 * and a QR or a sign of life that does not age would be there for good. In milliseconds.
 */
const PAST_MS = 60_000;
/** A message is under way for no longer than this, in milliseconds, unless the thread hangs that sends or receives it. */
const TRANSIT_MS = 5_000;
/** By how much the counts of two threads may differ in what they call the same moment, in milliseconds. */
const SLACK_MS = 1_000;

/** Translates one worker's monotonic times, in milliseconds, into those of this thread. */
export class WorkerTime {
  readonly #clock: Pick<Clock, "steady">;
  /** When the worker was started, by our count. */
  readonly #startedAt: number;
  /** By how much our count is ahead of the worker's, at most. */
  #aheadMs = Number.POSITIVE_INFINITY;

  /** To be made when the worker is started. */
  constructor(clock: Pick<Clock, "steady">) {
    this.#clock = clock;
    this.#startedAt = clock.steady();
  }

  /**
   * Takes note of the worker's time in a message that has just arrived.
   * @param now what it was when the message was sent
   * @returns false when the worker cannot have counted that far: it began after we had started it
   */
  hear(now: number): boolean {
    const own = this.#clock.steady();
    if (now < 0 || now > own - this.#startedAt + SLACK_MS) return false;
    // The message that was under way for the shortest time tells it best.
    this.#aheadMs = Math.min(this.#aheadMs, own - now);
    return true;
  }

  /**
   * A moment by this thread's count, as far as it can be true: never earlier than it was, later by no more than the
   * fastest message so far was under way, and never after now. To be asked when the message with it has been heard.
   * @param moment by the worker's count
   * @param sent when the worker told it, by its count
   */
  of(moment: number, sent: number): number {
    const now = this.#clock.steady();
    const latest = now - (sent - moment);
    const told = Math.max(moment + this.#aheadMs, latest - TRANSIT_MS);
    return Math.max(Math.min(told, latest), now - PAST_MS);
  }
}
