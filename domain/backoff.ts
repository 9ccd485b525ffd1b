/**
 * How long to wait before an attempt. Judgement (whether to try at all) lives in `disconnect.ts`.
 * @module
 */

/** The bounds of the delay, in milliseconds. */
export interface BackoffPolicy {
  /** Upper bound of the first delay; it doubles with each attempt, up to `quickMs`. */
  readonly baseMs: number;
  /** Upper bound of the delays of a session that has been away for a short time. */
  readonly quickMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
}

/** The part of the time that a session has been away that it may have to wait for more. */
const SHARE_OF_ABSENCE = 1 / 6;

/**
 * Exponential backoff that grows with the time away rather than with the number of attempts: a session that has
 * been away for a minute waits for seconds, one that has been away for an hour for minutes. The first delay is
 * anything up to its bound, each later one at least half of it, so that sessions which dropped together do not
 * come back together.
 * @param attempt 1 for the first retry
 * @param awayMs since the first failure in a row
 * @param random in [0, 1)
 * @returns milliseconds, an integer
 */
export function backoff(
  attempt: number,
  awayMs: number,
  random: number,
  { baseMs, quickMs, capMs }: BackoffPolicy,
): number {
  // 2^30 already exceeds every sensible cap; the bound keeps the power finite.
  const exponent = Math.min(Math.max(attempt, 1) - 1, 30);
  const quick = Math.min(baseMs * 2 ** exponent, quickMs);
  const bound = Math.min(capMs, Math.max(quick, awayMs * SHARE_OF_ABSENCE));
  return Math.floor(attempt <= 1 ? bound * random : bound * (1 + random) / 2);
}
