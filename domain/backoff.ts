/**
 * How long to wait before an attempt. Judgement (whether to try at all) lives in `disconnect.ts`.
 * @module
 */

/** The bounds of the delay, in milliseconds. */
export interface BackoffPolicy {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
}

/**
 * Capped exponential backoff with full jitter: anything from 0 up to `base · 2^(attempt − 1)`, so that
 * sessions which dropped together do not come back together.
 * @param attempt 1 for the first retry
 * @param random in [0, 1)
 * @returns milliseconds, an integer
 */
export function backoff(attempt: number, random: number, { baseMs, capMs }: BackoffPolicy): number {
  // 2^30 already exceeds every sensible cap; the bound keeps the power finite.
  const exponent = Math.min(Math.max(attempt, 1) - 1, 30);
  return Math.floor(Math.min(capMs, baseMs * 2 ** exponent) * random);
}
