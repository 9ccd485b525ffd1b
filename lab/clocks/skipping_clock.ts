/**
 * The machine's clock, which a test can put forward: a deadline of minutes need not be waited for, and none is
 * missed because the machine is busy.
 * @module
 */
import type { Clock } from "../../runtime/clock.ts";

/** The longest delay that the runtime's timers can hold. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Timer {
  /** On the steady clock, in milliseconds. */
  readonly due: number;
  readonly callback: () => void;
  handle: ReturnType<typeof setTimeout>;
}

export class SkippingClock implements Clock {
  readonly #timers = new Map<number, Timer>();
  readonly #random: () => number;
  #skippedMs = 0;
  #next = 0;

  /** @param random in [0, 1) */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  now(): number {
    return Date.now() + this.#skippedMs;
  }

  steady(): number {
    return performance.now() + this.#skippedMs;
  }

  random(): number {
    return this.#random();
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#next++;
    const due = this.steady() + Math.max(ms, 0);
    this.#timers.set(id, { due, callback, handle: this.#arm(id, due) });
    return () => this.#callOff(id);
  }

  /** Puts the clock forward by so many milliseconds. What falls due fires before this returns, in order. */
  skip(ms: number): void {
    const target = this.#skippedMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, one], [, other]) => one.due - other.due);
      if (next === undefined || next[1].due > performance.now() + target) break;
      const [id, { due, callback }] = next;
      this.#skippedMs = Math.max(this.#skippedMs, Math.min(target, due - performance.now()));
      this.#callOff(id);
      callback();
    }
    this.#skippedMs = target;
    for (const [id, timer] of this.#timers) {
      clearTimeout(timer.handle);
      timer.handle = this.#arm(id, timer.due);
    }
  }

  #arm(id: number, due: number): ReturnType<typeof setTimeout> {
    const ms = Math.min(Math.max(due - this.steady(), 0), LONGEST_TIMER_MS);
    return setTimeout(() => {
      const timer = this.#timers.get(id);
      this.#timers.delete(id);
      timer?.callback();
    }, ms);
  }

  #callOff(id: number): void {
    clearTimeout(this.#timers.get(id)?.handle);
    this.#timers.delete(id);
  }
}
