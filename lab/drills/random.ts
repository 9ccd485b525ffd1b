/**
 * Choices that can be made again: a drill prints its seed, and the same seed chooses the same.
 * @module
 */

/** A seeded source of choices. Not for secrets. */
export class Chance {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them. @throws {RangeError} when there are none */
  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new RangeError("There is nothing to pick from.");
    return values[this.below(values.length)]!;
  }

  /** At most `count` of them, in random order. */
  some<T>(values: readonly T[], count: number): T[] {
    const rest = [...values];
    const taken: T[] = [];
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.below(rest.length), 1));
    return taken;
  }

  /** All of them, in random order. */
  shuffled<T>(values: readonly T[]): T[] {
    return this.some(values, values.length);
  }
}

/** Resolves after so many milliseconds. In a drill only chance says how many. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
