/**
 * Breaks the workers of a world that was started with the saboteur's script.
 * @module
 */
import type { Order, Sabotage, Setting } from "./saboteur.ts";

/** How long a saboteur that hangs by itself keeps its worker from answering, in milliseconds. */
export const HANG_MS = 5_000;
/** By when one that is to be let go lets go by itself, in milliseconds: a test that has failed need not be waited for. */
const HELD_MS = 120_000;

export const SABOTEUR = new URL("./saboteur.ts", import.meta.url);

/**
 * Tells every saboteur of this process what to do; or only the one with this socket, where sockets are counted
 * from 1 in the order in which the pool opened them.
 */
export function sabotage(what: Exclude<Sabotage, "lie">, socket?: number): void {
  tell(what === "hang" ? { what, ms: HANG_MS } : { what }, socket);
}

/**
 * The same with a worker that hangs for as long as the test wants.
 * @returns once it hangs, how to let it go
 */
export async function hangWorker(socket?: number): Promise<() => void> {
  const gate = new Gate();
  tell({ what: "hang", ms: HELD_MS, gate: gate.shared }, socket);
  await gate.reached;
  return () => gate.open();
}

/** Has the saboteur with this socket send a message. */
export function lie(message: unknown, socket: number): void {
  tell({ what: "lie", lie: message }, socket);
}

/**
 * Stops the monotonic time of the worker, so many milliseconds after the moment at which it was first stopped; resolves
 * once it stands still there.
 */
export async function stopWorkerTime(aheadMs: number): Promise<void> {
  const gate = new Gate();
  tell({ what: "time", aheadMs, gate: gate.shared });
  await gate.reached;
}

function tell(order: Order, socket?: number): void {
  const channel = new BroadcastChannel("sabotage");
  channel.postMessage(socket === undefined ? order : { ...order, socket });
  channel.close();
}

/** Memory that a test and a worker share: a worker that hangs hears no message. */
class Gate {
  readonly shared = new SharedArrayBuffer(8);
  readonly #view = new Int32Array(this.shared);

  /** Resolves once the worker is there. */
  get reached(): Promise<unknown> {
    return Promise.resolve(Atomics.waitAsync(this.#view, 0, 0).value);
  }

  open(): void {
    Atomics.store(this.#view, 1, 1);
  }
}

/** How long a worker may take to set its clock, in milliseconds. */
const PATIENCE_MS = 300_000;

/**
 * Sets the wall clock of the one worker that there is forward or back; resolves once it is set.
 * @throws {Error} when the worker does not answer: it has not been there for long enough to have had a socket
 */
export async function setWorkerClock(byMs: number): Promise<void> {
  const channel = new BroadcastChannel("wall clock");
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => reject(new Error("No worker has set its clock.")), PATIENCE_MS);
  channel.onmessage = resolve;
  channel.postMessage({ byMs } satisfies Setting);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    channel.close();
  }
}
