/**
 * Attempts to reach WhatsApp, counted on both sides: as they arrive at the gateway, which refuses them and so
 * sees every one, and as the service makes them, by the clock that it goes by. A busy processor bunches arrivals;
 * the limit holds for what is made.
 * @module
 */
import { Admission } from "../../sessions/admission.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Gateway } from "../simulator/mod.ts";

const SECOND_MS = 1_000;

export class Meter implements Disposable {
  readonly #gateway: Gateway;
  readonly #from: number;
  readonly #departures: number[] = [];
  readonly #count = Admission.prototype.count;

  /** Counts from now on. One meter at a time. */
  constructor(gateway: Gateway, clock: Clock) {
    this.#gateway = gateway;
    this.#from = gateway.stats.attemptsAt.length;
    const [departures, count] = [this.#departures, this.#count];
    Admission.prototype.count = function (turn) {
      departures.push(clock.steady());
      return count.call(this, turn);
    };
  }

  /** When each attempt arrived at the gateway: milliseconds, UTC. */
  get arrivals(): readonly number[] {
    return this.#gateway.stats.attemptsAt.slice(this.#from);
  }

  /** When the service made each attempt: milliseconds on its steady clock. */
  get departures(): readonly number[] {
    return this.#departures;
  }

  [Symbol.dispose](): void {
    Admission.prototype.count = this.#count;
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
