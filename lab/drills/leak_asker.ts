/// <reference lib="deno.worker" />
/**
 * A worker whose sockets end immediately and make requests after that. It reports each answer as a fault of that name,
 * and answers no heartbeat.
 * @module
 */
import type { SocketRequest } from "../../sessions/ports/sockets.ts";
import type { Command, Report } from "../../whatsapp/protocol.ts";

const report = (message: Report) => self.postMessage(message);

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "open": {
      const { socket } = command;
      const now = performance.now();
      const request = (id: number, request: SocketRequest) =>
        report({ type: "request", socket, id, request });
      report({
        type: "event",
        socket,
        event: { type: "closed", cause: { origin: "client", code: 0 } },
        at: now,
        now,
      });
      request(1, { type: "load_keys", keyType: "session", ids: ["1"] });
      return request(2, { type: "save_keys", keys: [] });
    }
    case "answer":
      return report({
        type: "fault",
        name: `${command.id}:${command.values === null ? "refused" : "answered"}`,
      });
    case "request":
      if (command.request.type !== "stop") return;
      return report({ type: "answer", id: command.id, answer: { type: "stop" } });
    default:
      return;
  }
};
