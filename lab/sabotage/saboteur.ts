/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, with a hand inside that breaks it on demand.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";
import { orders, settings } from "./orders.ts"; // before the worker's own code takes such channels away
import "../../whatsapp/worker/main.ts";
import { setWallClock } from "../clocks/wall_clock.ts";

/** What a saboteur can do to its worker. */
export type Sabotage = "throw" | "reject" | "close" | "hang" | "grow" | "lie";

/** An order, for every worker or for the one that carries, or has carried, this socket. */
export type Order =
  & (
    | { readonly what: Exclude<Sabotage, "hang" | "lie"> }
    /** Hangs for `ms` milliseconds, or until the gate is open. */
    | { readonly what: "hang"; readonly ms: number; readonly gate?: SharedArrayBuffer }
    /** Stops the worker's monotonic time, so many milliseconds after the moment at which it was first stopped. */
    | { readonly what: "time"; readonly aheadMs: number; readonly gate: SharedArrayBuffer }
    /** Sends this message. */
    | { readonly what: "lie"; readonly lie: unknown }
  )
  & { readonly socket?: number };

/** Sets the worker's wall clock; done when it is sent back. */
export interface Setting {
  readonly byMs: number;
}

const kept: unknown[] = [];
const monotonic = performance.now.bind(performance);
let stoppedAt: number | null = null;
const carried = new Set<number>();

self.addEventListener("message", ({ data: command }: MessageEvent<Command>) => {
  if (command.type === "open") carried.add(command.socket);
});

orders.onmessage = ({ data: order }: MessageEvent<Order>) => {
  if (order.socket !== undefined && !carried.has(order.socket)) return;
  switch (order.what) {
    case "throw":
      setTimeout(() => {
        throw new Error("sabotage");
      }, 0);
      return;
    case "reject":
      void Promise.reject(new Error("sabotage"));
      return;
    case "close":
      return self.close();
    case "hang":
      return hang(order.ms, order.gate);
    case "grow":
      return grow();
    case "time":
      stoppedAt ??= monotonic();
      performance.now = () => stoppedAt! + order.aheadMs;
      return reach(new Int32Array(order.gate));
    case "lie":
      return self.postMessage(order.lie);
    default:
      order satisfies never;
  }
};

/** Not for ever: the runtime cannot end a thread that never yields, and it would outlive the test. */
function hang(ms: number, shared = new SharedArrayBuffer(8)): void {
  const gate = new Int32Array(shared);
  reach(gate);
  for (const end = monotonic() + ms; monotonic() < end && Atomics.load(gate, 1) === 0;);
}

/** Notifies what waits at the gate. */
function reach(gate: Int32Array): void {
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
}

settings.onmessage = ({ data }: MessageEvent<Setting>) => {
  setWallClock(data.byMs);
  settings.postMessage(data);
};

/** 160 MB of numbers, bit by bit: a thread that answers no more is another fault. */
function grow(): void {
  kept.push(Array.from({ length: 20_000 }, () => Math.random() + kept.length));
  if (kept.length < 1_000) setTimeout(grow, 0);
}
