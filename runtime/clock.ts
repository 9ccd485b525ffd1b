/**
 * Time and chance, as supervision asks for them; `main.ts` passes the real ones.
 * @module
 */

/** Time and chance, as arguments. */
export interface Clock {
  /** Wall time, for instants that are told: milliseconds since 1970-01-01T00:00:00Z. It can be set forward or back. */
  now(): number;
  /** Monotonic time, for deadlines and durations: milliseconds since some moment of this process. Never set. */
  steady(): number;
  /** In [0, 1). */
  random(): number;
  /** Calls back once, after `ms` milliseconds; the returned function calls it off. */
  after(ms: number, callback: () => void): () => void;
}

/** The longest delay that the runtime's timers can hold; a longer one would fire immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time and chance. */
export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  random: () => Math.random(),
  after(ms, callback) {
    // The runtime leaves out fractions; a timer that fires a little early would find nothing to do.
    const timer = setTimeout(callback, Math.min(Math.max(Math.ceil(ms), 0), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * The instant of a moment, as the wall clock has it now; rounded down, so that nothing is told to last longer than
 * it does.
 * @param moment by `clock.steady()`
 * @returns milliseconds since 1970-01-01T00:00:00Z
 */
export function wallTimeOf(clock: Clock, moment: number): number {
  return Math.floor(clock.now() - (clock.steady() - moment));
}

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done);
  });
}
