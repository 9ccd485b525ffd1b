/**
 * Rounds, interleaved: one of each, again and again, so that a noisy minute hits all of them.
 * @module
 */
import type { Child } from "./lib/child.ts";
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

/** Rounds before those that count: on a busy machine a single one does not ask often enough. */
const WARM_UP = 2;

/**
 * The same for what is loaded, after rounds that do not count: a server's code, the peers' like ours, is
 * compiled as it is needed, and takes two to three times as long until it is.
 */
export async function inWarmRounds<K extends string, T>(
  rounds: number,
  runs: Readonly<Partial<Record<K, () => Promise<T>>>>,
): Promise<Map<K, T[]>> {
  await inRounds(WARM_UP, runs);
  return await inRounds(rounds, runs);
}

/** The median of the rounds, as a figure. */
export function figureOf(name: string, unit: Figure["unit"], rounds: readonly number[]): Figure {
  return { name, value: median(rounds), unit, rounds };
}

/** What loading a process came to, and what it cost. */
export interface Loaded extends LoadResult {
  /** Processor time a request, the whole process, in microseconds: on a busy machine it says more than the rate. */
  readonly cpuMicros: number;
}

/** Loads a process, or has it load itself, and looks what that takes of its core. */
export async function loadMeasured(
  child: Child,
  seconds: number,
  work: () => Promise<LoadResult>,
): Promise<Loaded> {
  const before = await child.cpuSeconds();
  const result = await work();
  const spent = await child.cpuSeconds() - before;
  return { ...result, cpuMicros: spent * 1e6 / (result.perSecond * seconds) };
}

/** What loading a server came to: requests a second, the slowest hundredth, and what each took. */
export function loadFigures(name: string, results: readonly Loaded[]): Figure[] {
  return [
    figureOf(name, "/s", results.map(({ perSecond }) => perSecond)),
    figureOf(`${name}, p99`, "ms", results.map(({ p99Ms }) => p99Ms)),
    figureOf(`${name}, processor time`, "µs", results.map(({ cpuMicros }) => cpuMicros)),
  ];
}

/** The median of one reading over the rounds. */
export function medianOf<T>(results: readonly T[] | undefined, read: (result: T) => number): number {
  return median((results ?? []).map(read));
}
