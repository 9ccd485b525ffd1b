/**
 * How often one caller, and one instance, may ask.
 *
 * The libraries for this keep a timer for every caller they have seen; an arrival time for each is enough, and
 * leaves nothing running.
 *
 * Source: decisions, "Endpoints": 429 `TOO_MANY_REQUESTS`, with `Retry-After`.
 * @module
 */
import { type Refusal, refuse } from "./refusal.ts";

/** Requests at most; 0 for no limit. */
export interface RateLimits {
  /** A second, for each key. */
  readonly key: number;
  /** A second, for each instance: reading its state. */
  readonly read: number;
  /** A minute, for each instance: asking for its QR. */
  readonly qr: number;
}

/** Those that hold for one instance. */
export type InstanceLimit = Exclude<keyof RateLimits, "key">;

/** A limiter for each of them; null where there is no limit. */
export type Limiters = Readonly<Record<keyof RateLimits, RateLimiter | null>>;

/** Makes them. */
export function limitersOf({ key, read, qr }: RateLimits): Limiters {
  const limiter = (points: number, seconds: number) =>
    points === 0 ? null : new RateLimiter(points, seconds * 1_000);
  return { key: limiter(key, 1), read: limiter(read, 1), qr: limiter(qr, 60) };
}

/** Names remembered before those that have had their rest are forgotten. */
const SWEEP_AT = 10_000;

/** What is kept of a name: until when its allowance is spoken for, in milliseconds. */
interface Allowance {
  spokenFor: number;
}

/** The generic cell rate algorithm: a burst of so many, and as many in each period on average. */
export class RateLimiter {
  readonly #allowances = new Map<string, Allowance>();
  readonly #gapMs: number;
  readonly #periodMs: number;
  #sweepAfter = -Infinity;

  /**
   * @param points how many in a period, and in one burst
   * @param periodMs milliseconds
   */
  constructor(points: number, periodMs: number) {
    this.#gapMs = periodMs / points;
    this.#periodMs = periodMs;
  }

  /** How many names are remembered. */
  get size(): number {
    return this.#allowances.size;
  }

  /**
   * Takes one request of this name's allowance.
   * @param now milliseconds, by a clock that nobody sets
   * @returns 0, or how many milliseconds to wait before the next one, which is then not counted
   */
  take(name: string, now: number): number {
    const allowance = this.#allowances.get(name) ?? this.#grant(name, now);
    const until = Math.max(now, allowance.spokenFor) + this.#gapMs;
    const waitMs = until - now - this.#periodMs;
    // A rounding error is no reason to refuse.
    if (waitMs > 1e-6) return waitMs;
    allowance.spokenFor = until;
    return 0;
  }

  #grant(name: string, now: number): Allowance {
    if (this.#allowances.size >= SWEEP_AT && now >= this.#sweepAfter) this.#sweep(now);
    const allowance = { spokenFor: now };
    this.#allowances.set(name, allowance);
    return allowance;
  }

  /** Once a period: before, most of those that are left would still be speaking. */
  #sweep(now: number): void {
    this.#sweepAfter = now + this.#periodMs;
    for (const [name, { spokenFor }] of this.#allowances) {
      if (spokenFor <= now) this.#allowances.delete(name);
    }
  }
}

/**
 * Refuses what comes too often, and says after how many whole seconds to come back.
 * @param limiter null for no limit
 * @param name what the limit holds for
 * @param now milliseconds, by a clock that nobody sets
 */
export function checkRate(limiter: RateLimiter | null, name: string, now: number): Refusal | null {
  const waitMs = limiter?.take(name, now) ?? 0;
  if (waitMs === 0) return null;
  // Down to the millisecond first: a rounding error is no second more.
  const seconds = Math.ceil(Math.round(waitMs) / 1_000) || 1;
  return refuse("TOO_MANY_REQUESTS", undefined, { "retry-after": String(seconds) });
}
