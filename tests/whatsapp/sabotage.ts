/**
 * Breaks the workers of a world that was started with the saboteur's script.
 * @module
 */
import type { Sabotage } from "./saboteur.ts";

/** How long a saboteur that hangs keeps its worker from answering, in milliseconds. */
export const HANG_MS = 5_000;

export const SABOTEUR = new URL("./saboteur.ts", import.meta.url);

/**
 * Tells every saboteur of this process what to do; or only the one with this socket, where sockets are counted
 * from 1 in the order in which the pool opened them.
 */
export function sabotage(what: Sabotage, socket?: number): void {
  const channel = new BroadcastChannel("sabotage");
  channel.postMessage(socket === undefined ? { what } : { what, socket });
  channel.close();
}
