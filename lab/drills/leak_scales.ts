/**
 * What an isolate weighs once its garbage is collected, and what still waits in it.
 * @module
 */
import process from "node:process";

/** Where workers are asked for their weight. */
export const SCALES = "scales";

/** How long a worker may take to weigh itself, in milliseconds. */
const ANSWER_MS = 60_000;

export interface Weight {
  /** Everything that is reachable, in bytes. */
  readonly heapBytes: number;
  /** What lives outside the heap and is held by it, in bytes. */
  readonly externalBytes: number;
  /** Timers that have neither fired nor been called off. */
  readonly timers: number;
  /** Everything else that is open: connections, ports, files. */
  readonly others: number;
}

/** @throws {Error} where the collector cannot be called */
export function weigh(): Weight {
  const { gc } = globalThis as unknown as { gc?: () => void };
  if (gc === undefined) throw new Error("Run this with --v8-flags=--expose-gc.");
  // Twice: what the first collection finalises, the second one frees.
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const timers = resources.filter((name) => /Timeout|Interval|Timer/i.test(name)).length;
  return { heapBytes: heapUsed, externalBytes: external, timers, others: resources.length - timers };
}

/** Asks the one worker for its weight. */
export class WorkerScales implements Disposable {
  readonly #channel = new BroadcastChannel(SCALES);

  async weigh(): Promise<Weight> {
    const { promise, resolve, reject } = Promise.withResolvers<Weight>();
    const timer = setTimeout(() => reject(new Error("The worker does not tell its weight.")), ANSWER_MS);
    this.#channel.onmessage = ({ data }: MessageEvent<Weight>) => resolve(data);
    this.#channel.postMessage("weigh");
    return await promise.finally(() => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

/** Heap and what it holds outside, in bytes. */
export function total({ heapBytes, externalBytes }: Weight): number {
  return heapBytes + externalBytes;
}
