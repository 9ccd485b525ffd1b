/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, taken over: for each socket that it is to open it prints a secret and reports a
 * fault and an end that say more than they may.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";
import "../../whatsapp/worker/main.ts";

self.addEventListener("message", ({ data: command }: MessageEvent<Command>) => {
  if (command.type !== "open") return;
  const { socket } = command;
  const forged = {
    event: "session_changed",
    instance_id: "another",
    level: "error",
    secret: "hunter2-hunter2",
  };
  console.info("Closing session:", { key: "hunter2-hunter2" });
  console.error("hunter2-hunter2");
  self.postMessage({ type: "fault", name: "Error\n".repeat(10_000) });
  const event = { type: "closed", cause: { origin: "client", code: 428, ...forged } };
  self.postMessage({ type: "event", socket, event, at: 0, now: 0 });
});
