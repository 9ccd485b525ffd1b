/// <reference lib="deno.worker" />
/**
 * A worker that sends what a test tells it to send, whatever that is. It closes its sockets as it should, and answers
 * no heartbeat by itself.
 * @module
 */
import type { Command, Report } from "../../whatsapp/protocol.ts";
import { MUTED, SCRIPT_CHANNEL, TRANSFERRED, UNMUTED } from "./scripted_handle.ts";

const report = (message: Report) => self.postMessage(message);
let isMuted = false;

new BroadcastChannel(SCRIPT_CHANNEL).onmessage = ({ data }: MessageEvent<unknown>) => {
  if (data === MUTED || data === UNMUTED) isMuted = data === MUTED;
  else if (data === TRANSFERRED) sendPort();
  else self.postMessage(data);
};

function sendPort(): void {
  const { port1 } = new MessageChannel();
  self.postMessage({ type: "fault", name: "ports" }, [port1]);
}

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "start":
      return report({ type: "fault", name: "ready" });
    case "close":
      if (!isMuted) report({ type: "gone", socket: command.socket, unlinked: command.unlink });
      return;
    case "request":
      if (isMuted || command.request.type !== "stop") return;
      return report({ type: "answer", id: command.id, answer: { type: "stop" } });
    case "answer": {
      const keys = command.values === null ? ["failed"] : [...command.values.keys()];
      return report({ type: "fault", name: ["answer", command.id, ...keys].join(".") });
    }
  }
};
