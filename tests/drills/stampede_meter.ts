/**
 * Attempts to reach WhatsApp, counted on both sides: as they arrive at the gateway, which refuses them and so
 * sees every one, and as the service lets them go.
 * @module
 */
import { WorkerPool } from "../../whatsapp/worker_pool.ts";
import type { Gateway } from "../gateway/mod.ts";

const SECOND_MS = 1_000;

export class Meter implements Disposable {
  readonly #gateway: Gateway;
  readonly #from: number;
  readonly #departures: number[] = [];
  readonly #open = WorkerPool.prototype.open;

  /** Counts from now on. One meter at a time. */
  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#from = gateway.stats.attemptsAt.length;
    const [departures, open] = [this.#departures, this.#open];
    WorkerPool.prototype.open = function (purpose, listener) {
      departures.push(performance.now());
      return open.call(this, purpose, listener);
    };
  }

  /** When each attempt arrived at the gateway: milliseconds, UTC. */
  get arrivals(): readonly number[] {
    return this.#gateway.stats.attemptsAt.slice(this.#from);
  }

  /** When the service opened a socket for each attempt: by `performance.now()`. */
  get departures(): readonly number[] {
    return this.#departures;
  }

  [Symbol.dispose](): void {
    WorkerPool.prototype.open = this.#open;
  }
}

/** The most instants within any one second, wherever that second begins. */
export function peakPerSecond(instants: readonly number[]): number {
  let peak = 0;
  let first = 0;
  const sorted = [...instants].sort((a, b) => a - b);
  for (const [last, at] of sorted.entries()) {
    while (at - sorted[first]! >= SECOND_MS) first++;
    peak = Math.max(peak, last - first + 1);
  }
  return peak;
}

/** How many instants each second has, counted from `since`. */
export function perSecond(instants: readonly number[], since: number): number[] {
  const counts: number[] = [];
  for (const at of instants) {
    const second = Math.floor((at - since) / SECOND_MS);
    if (second >= 0) counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}
