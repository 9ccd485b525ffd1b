/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, with a hand inside that breaks it on demand.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";
import "../../whatsapp/worker/main.ts";
import { HANG_MS } from "./sabotage.ts";

/** What a saboteur can do to its worker. */
export type Sabotage = "throw" | "reject" | "close" | "hang" | "grow";

/** An order, for every worker or for the one that carries, or has carried, this socket. */
export interface Order {
  readonly what: Sabotage;
  readonly socket?: number;
}

const kept: unknown[] = [];
const carried = new Set<number>();

self.addEventListener("message", ({ data: command }: MessageEvent<Command>) => {
  if (command.type === "open") carried.add(command.socket);
});

new BroadcastChannel("sabotage").onmessage = ({ data: { what, socket } }: MessageEvent<Order>) => {
  if (socket !== undefined && !carried.has(socket)) return;
  switch (what) {
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
      // Not for ever: the runtime cannot end a thread that never yields, and it would outlive the test.
      for (const end = Date.now() + HANG_MS; Date.now() < end;);
      return;
    case "grow":
      return grow();
    default:
      what satisfies never;
  }
};

/** 160 MB of numbers, bit by bit: a thread that answers no more is another fault. */
function grow(): void {
  kept.push(Array.from({ length: 20_000 }, () => Math.random() + kept.length));
  if (kept.length < 1_000) setTimeout(grow, 0);
}
