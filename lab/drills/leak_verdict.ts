/**
 * Whether anything grows with the cycles, by everything that was weighed.
 * @module
 */
import type { Sample } from "./leak_record.ts";
import { total } from "./leak_scales.ts";
import { type Slope, theilSen } from "./theil_sen.ts";

/** What a cycle may leave behind in either isolate, in bytes: less than any object that is kept by mistake. */
export const TOLERATED_BYTES = 50;

/** What is in bytes trembles, and is judged by its slope. */
const WEIGHTS: Readonly<Record<string, (sample: Sample) => number>> = {
  "service, bytes": ({ service }) => total(service),
  "worker, bytes": ({ worker }) => total(worker),
};
/** Shown and not judged: what the process holds besides is the allocator's business. */
const SHOWN: Readonly<Record<string, (sample: Sample) => number>> = {
  ...WEIGHTS,
  "process, bytes": ({ rssBytes }) => rssBytes,
};
/** What is counted is where it was, or there is too much of it. */
const COUNTS: Readonly<Record<string, (sample: Sample) => number>> = {
  "service, timers": ({ service }) => service.timers,
  "worker, timers": ({ worker }) => worker.timers,
  "service, other resources": ({ service }) => service.others,
  "worker, other resources": ({ worker }) => worker.others,
  "connections at the gateway": ({ connections }) => connections,
  "sockets in the workers": ({ sockets }) => sockets,
  "sessions supervised": ({ supervised }) => supervised,
  "workers lost": ({ workersLost }) => workersLost,
  "errors that nobody caught in the worker": ({ workerFaults }) => workerFaults,
};

export interface LeakVerdict {
  /** Bytes a cycle, by name. */
  readonly slopes: ReadonlyMap<string, Slope>;
  /** How often each count was what it was, from the first to the last sample of each run. */
  readonly counts: ReadonlyMap<string, readonly (readonly [first: number, last: number])[]>;
  /** What leaks, one sentence each. */
  readonly faults: readonly string[];
}

/** Judges a drill by its runs. */
export function judgeLeak(runs: readonly (readonly Sample[])[]): LeakVerdict {
  const faults: string[] = [];
  const slopes = new Map<string, Slope>();
  for (const [name, of] of Object.entries(SHOWN)) {
    const slope = theilSen(runs.map((run) => run.map((sample) => ({ x: sample.cycle, y: of(sample) }))));
    if (slope === null) continue;
    slopes.set(name, slope);
    if (name in WEIGHTS && slope.low > TOLERATED_BYTES) {
      faults.push(`${name}: ${describeSlope(slope)}, and ${TOLERATED_BYTES} are tolerated`);
    }
  }
  const counts = new Map<string, (readonly [number, number])[]>();
  for (const [name, of] of Object.entries(COUNTS)) {
    const ends = runs.map((run) => [of(run[0]!), of(run.at(-1)!)] as const);
    counts.set(name, ends);
    for (const [first, last] of ends) {
      if (last > first) faults.push(`${name}: ${first} before, ${last} after`);
    }
  }
  return { slopes, counts, faults };
}

/** `12.3 a cycle (95 %: 3.0 to 21.0)` */
export function describeSlope({ slope, low, high }: Slope): string {
  return `${slope.toFixed(1)} a cycle (95 %: ${low.toFixed(1)} to ${high.toFixed(1)})`;
}

/** The figures as a table, and the verdict. */
export function describeVerdict({ slopes, counts, faults }: LeakVerdict): string {
  const lines = [...slopes].map(([name, slope]) =>
    `${name.padEnd(42)}${describeSlope(slope)}, ${slope.samples} samples`
  );
  for (const [name, ends] of counts) {
    lines.push(name.padEnd(42) + ends.map(([first, last]) => `${first} → ${last}`).join(", "));
  }
  lines.push("", faults.length === 0 ? "verdict: nothing leaks" : "verdict: it leaks", ...faults);
  return lines.join("\n");
}
