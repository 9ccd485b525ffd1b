/**
 * Rounds, interleaved: one of each, again and again, so that a noisy minute hits all of them.
 * @module
 */
import type { LoadResult } from "./lib/load.ts";
import { median } from "./lib/stats.ts";
import type { Figure } from "./part.ts";

/** Runs each of these once a round, in order. @returns what each came to, by name, a round each */
export async function inRounds<K extends string, T>(
  rounds: number,
  runs: Readonly<Partial<Record<K, () => Promise<T>>>>,
): Promise<Map<K, T[]>> {
  const results = new Map<K, T[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs) as [K, () => Promise<T>][]) {
      results.set(name, [...results.get(name) ?? [], await run()]);
    }
  }
  return results;
}

/** The median of the rounds, as a figure. */
export function figureOf(name: string, unit: Figure["unit"], rounds: readonly number[]): Figure {
  return { name, value: median(rounds), unit, rounds };
}

/** What loading a server came to: requests a second, and the slowest hundredth. */
export function loadFigures(name: string, results: readonly LoadResult[]): Figure[] {
  return [
    figureOf(name, "/s", results.map(({ perSecond }) => perSecond)),
    figureOf(`${name}, p99`, "ms", results.map(({ p99Ms }) => p99Ms)),
  ];
}

/** The median of one reading over the rounds. */
export function medianOf<T>(results: readonly T[] | undefined, read: (result: T) => number): number {
  return median((results ?? []).map(read));
}
