/// <reference lib="deno.worker" />
/**
 * A worker that says what it is told to say, whatever that is. It closes its sockets as one should.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";
import { PERCH, TRANSFERRED } from "./perch.ts";

new BroadcastChannel(PERCH).onmessage = ({ data }: MessageEvent<unknown>) => {
  if (data !== TRANSFERRED) return self.postMessage(data);
  const { port1 } = new MessageChannel();
  self.postMessage({ type: "fault", name: "ports" }, [port1]);
};

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  if (command.type === "stop") self.postMessage({ type: "stopped" });
  if (command.type === "close") {
    self.postMessage({ type: "gone", socket: command.socket, unlinked: command.unlink });
  }
  if (command.type === "start") self.postMessage({ type: "fault", name: "ready" });
};
