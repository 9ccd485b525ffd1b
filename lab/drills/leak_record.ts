/**
 * What a leak drill has weighed, kept in a file, so that it can go on after an interruption. Each process is a run of
 * its own: how heavy one is to begin with says nothing about another.
 * @module
 */
import type { Weight } from "./leak_scales.ts";

/** Everything that is weighed and counted, once so many cycles of this run were done. */
export interface Sample {
  /** Counted from 1, in the order in which they were started. */
  readonly run: number;
  /** Cycles of this run, without those to warm up. */
  readonly cycle: number;
  readonly service: Weight;
  readonly worker: Weight;
  readonly rssBytes: number;
  /** Connections that are open at the gateway. */
  readonly connections: number;
  /** Sockets that the pool carries. */
  readonly sockets: number;
  readonly supervised: number;
  /** Workers lost in this run so far, and errors that nobody caught in them. */
  readonly workersLost: number;
  readonly workerFaults: number;
}

/** What all runs of a drill have in common. */
export interface LeakSettings {
  readonly kinds: readonly string[];
  readonly every: number;
  readonly warmUp: number;
}

export class LeakRecord {
  readonly samples: Sample[] = [];
  readonly #file: string | null;

  private constructor(file: string | null) {
    this.#file = file;
  }

  /** One that is kept nowhere. */
  static inMemory(): LeakRecord {
    return new LeakRecord(null);
  }

  /**
   * The one that is kept in this folder, made where there is none.
   * @throws {TypeError} when the drill there has other settings
   */
  static async open(folder: string, settings: LeakSettings): Promise<LeakRecord> {
    await Deno.mkdir(folder, { recursive: true });
    const record = new LeakRecord(`${folder}/leak.jsonl`);
    const header = JSON.stringify(settings);
    const text = await Deno.readTextFile(record.#file!).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    });
    const whole = text.slice(0, text.lastIndexOf("\n") + 1); // the last line may have been cut off
    if (whole === "") await Deno.writeTextFile(record.#file!, `${header}\n`);
    else {
      const [first, ...lines] = whole.trimEnd().split("\n");
      if (first !== header) throw new TypeError(`The drill in ${folder} has other settings: ${first}`);
      if (whole !== text) await Deno.writeTextFile(record.#file!, whole);
      for (const line of lines) record.samples.push(JSON.parse(line));
    }
    return record;
  }

  /** The number of the next run. */
  get nextRun(): number {
    return (this.samples.at(-1)?.run ?? 0) + 1;
  }

  /** How many cycles have been weighed, over all runs. */
  get cycles(): number {
    return this.runs().reduce((sum, run) => sum + run.at(-1)!.cycle, 0);
  }

  /** Each run's samples, in order. */
  runs(): Sample[][] {
    const runs = new Map<number, Sample[]>();
    for (const sample of this.samples) {
      const run = runs.get(sample.run) ?? [];
      runs.set(sample.run, run);
      run.push(sample);
    }
    return [...runs.values()];
  }

  async add(sample: Sample): Promise<void> {
    this.samples.push(sample);
    if (this.#file !== null) {
      await Deno.writeTextFile(this.#file, `${JSON.stringify(sample)}\n`, { append: true });
    }
  }
}
