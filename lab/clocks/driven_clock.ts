/**
 * Time that a test drives.
 * @module
 */
import type { Clock } from "../../runtime/clock.ts";

export class DrivenClock implements Clock {
  readonly #timers = new Map<number, { at: number; callback: () => void }>();
  #wall = 1_767_484_800_000;
  #steady = 1_000;
  #next = 0;

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#wall;
  }

  steady(): number {
    return this.#steady;
  }

  /** Sets the wall clock forward or, with a negative number, back; no time passes. */
  setWall(byMs: number): void {
    this.#wall += byMs;
  }

  random(): number {
    return 0.5;
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#steady + Math.max(ms, 0), callback });
    return () => void this.#timers.delete(id);
  }

  /** Lets this many milliseconds pass; timers fire in their order, at their time. */
  advance(ms: number): void {
    const end = this.#steady + ms;
    for (;;) {
      const [due] = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at);
      if (due === undefined) break;
      const [id, { at, callback }] = due;
      this.#timers.delete(id);
      this.#pass(Math.max(at - this.#steady, 0));
      callback();
    }
    this.#pass(end - this.#steady);
  }

  /** Lets this many milliseconds pass in which the thread is held up: what falls due fires late, at the next advance. */
  stall(ms: number): void {
    this.#pass(ms);
  }

  #pass(ms: number): void {
    this.#wall += ms;
    this.#steady += ms;
  }
}
