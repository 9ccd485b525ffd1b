/**
 * How much time has passed, whatever happened to the process or to the clock in between.
 * @module
 */

/** A moment to measure from. */
export interface Mark {
  readonly steady: number;
  readonly wall: number;
}

export interface Stopwatch {
  mark(): Mark;
  /** Milliseconds since that moment, rather too many than too few. */
  since(mark: Mark): number;
}

/**
 * The steady clock goes on while a process is stopped, but not while its machine sleeps; the wall clock does both, but
 * can be set back. The longer of the two is no less than the truth.
 */
export const systemStopwatch: Stopwatch = {
  mark: () => ({ steady: performance.now(), wall: Date.now() }),
  since: ({ steady, wall }) => Math.max(performance.now() - steady, Date.now() - wall),
};
