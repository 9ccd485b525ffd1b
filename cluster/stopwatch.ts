/**
 * How much time has passed, whatever happened to the process, to its machine or to the wall clock in between.
 * @module
 */
import { uptime } from "node:os";

/** A moment to measure from. */
export interface Mark {
  /** In milliseconds. */
  readonly steady: number;
  /** In milliseconds. */
  readonly up: number;
}

/** Measures time that has passed, sleep of the machine included; no clock that can be set takes part. */
export interface Stopwatch {
  mark(): Mark;
  /** Milliseconds since that moment; too few by less than two seconds, and only where the machine has slept. */
  since(mark: Mark): number;
}

/** What the machine's uptime is told in, in milliseconds. */
const UPTIME_UNIT_MS = 1_000;

/**
 * Steady time goes on while a process is stopped, but not while its machine sleeps. The machine's uptime does both, in
 * whole seconds. No step of the wall clock reaches either: Linux counts uptime as `CLOCK_BOOTTIME` (`sysinfo(2)`).
 * @param steady milliseconds, from any origin
 * @param up milliseconds, from any origin, rounded to whole seconds in one direction
 */
export function stopwatch(steady: () => number, up: () => number): Stopwatch {
  return {
    // Steady time is read first here and last below: a busy machine that pauses between two readings has not slept.
    mark: () => {
      const steadyMs = steady();
      return { steady: steadyMs, up: up() };
    },
    since: (mark) => {
      const upMs = up() - mark.up;
      const steadyMs = steady() - mark.steady;
      // Rounding alone makes a difference of less than a unit. A sleep that it hides is shorter than two.
      const hasSlept = upMs - steadyMs >= UPTIME_UNIT_MS;
      return hasSlept ? upMs + UPTIME_UNIT_MS : steadyMs;
    },
  };
}

/** This machine's. Reading its uptime needs the permission `sys=osUptime`. */
export const systemStopwatch: Stopwatch = stopwatch(() => performance.now(), () => uptime() * 1_000);
