/**
 * A histogram of times whose labels are looked up once and not at every observation. The library's own hashes them
 * each time: 0.3 to 0.8 µs for one observation, 0.01 µs here, of the 14 to 30 µs that an answer takes.
 * @module
 */
import { Histogram, type HistogramConfiguration } from "prom-client";

/** How often things took how long, for one set of labels. */
export class Times {
  readonly #bounds: readonly number[];
  /** For each bound those that are within it and no smaller one, then those beyond all. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds in seconds, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && seconds > this.#bounds[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += seconds;
  }

  /** Seconds in all. */
  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** How many are within each bound, and at last how many there are. */
  cumulated(): number[] {
    let sum = 0;
    return this.#counts.map((count) => sum += count);
  }
}

/** The histogram, as Prometheus reads it. */
export class TimesHistogram<L extends string> extends Histogram<L> {
  readonly #bounds: readonly number[];
  readonly #times: { labels: Record<L, string>; times: Times }[] = [];

  constructor(configuration: HistogramConfiguration<L> & { readonly buckets: number[] }) {
    super(configuration);
    this.#bounds = configuration.buckets;
  }

  /** What is kept for these labels; to be asked for once. */
  of(labels: Record<L, string>): Times {
    const times = new Times(this.#bounds);
    this.#times.push({ labels, times });
    return times;
  }

  // deno-lint-ignore require-await -- the library's signature
  override async get() {
    const { name, help, aggregator } = this as unknown as { name: string; help: string; aggregator: "sum" };
    const values = this.#times.flatMap(({ labels, times }) => {
      const buckets = times.cumulated().map((value, i) => ({
        labels: { le: this.#bounds[i] ?? "+Inf", ...labels },
        value,
        metricName: `${name}_bucket`,
      }));
      return [
        ...buckets,
        { labels, value: times.sum, metricName: `${name}_sum` },
        { labels, value: times.count, metricName: `${name}_count` },
      ];
    });
    return { name, help, type: "histogram", values, aggregator } as any;
  }

  /** The library reads this one in its text. */
  getForPromString() {
    return this.get();
  }
}
