/**
 * What the service counts of its answers.
 * @module
 */
import type { Metrics } from "./metrics.ts";
import type { Times } from "./times.ts";

/** One answer; `route` is the pattern of its path. */
export interface Answered {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

/** Answers of one kind; the count goes to the library at the next scrape. */
interface Tally {
  count: number;
  told: number;
  readonly times: Times;
}

/** Counts answers by route, method and status, and their times, in seconds, by route and method. */
export class RequestMeter {
  readonly #metrics: Pick<Metrics, "httpRequests" | "httpDuration">;
  readonly #tallies = new Map<string, Map<string, Map<number, Tally>>>();
  readonly #times = new Map<string, Times>();

  constructor(metrics: Pick<Metrics, "httpRequests" | "httpDuration">) {
    this.#metrics = metrics;
  }

  observe({ route, method, status, seconds }: Answered): void {
    const tally = this.#tallies.get(route)?.get(method)?.get(status) ?? this.#begin(route, method, status);
    tally.count++;
    tally.times.observe(seconds);
  }

  /**
   * Begins at 0 what these routes answer: well, or with a fault of ours.
   * @param routes the pattern of each path, and its method
   */
  expect(routes: Iterable<{ readonly path: string; readonly method: string }>): void {
    for (const { path, method } of routes) {
      for (const status of [200, 500]) {
        if (!this.#tallies.get(path)?.get(method)?.has(status)) this.#begin(path, method, status);
      }
    }
  }

  /** Tells the library what has been counted since the last time. */
  tell(): void {
    for (const [route, methods] of this.#tallies) {
      for (const [method, statuses] of methods) {
        for (const [status, tally] of statuses) {
          this.#metrics.httpRequests.inc({ route, method, status }, tally.count - tally.told);
          tally.told = tally.count;
        }
      }
    }
  }

  #begin(route: string, method: string, status: number): Tally {
    const methods = this.#tallies.get(route) ?? new Map<string, Map<number, Tally>>();
    this.#tallies.set(route, methods);
    const statuses = methods.get(method) ?? new Map<number, Tally>();
    methods.set(method, statuses);
    const tally = { count: 0, told: 0, times: this.#timesOf(route, method) };
    statuses.set(status, tally);
    return tally;
  }

  #timesOf(route: string, method: string): Times {
    const name = `${method} ${route}`;
    const times = this.#times.get(name) ?? this.#metrics.httpDuration.of({ route, method });
    this.#times.set(name, times);
    return times;
  }
}
