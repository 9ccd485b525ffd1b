/// <reference lib="deno.worker" />
/**
 * A worker whose sockets end at once, and which asks for keys after that. It tells what it was answered as a
 * fault of that name.
 * @module
 */
import type { Command, Report } from "../../whatsapp/protocol.ts";

const report = (message: Report) => self.postMessage(message);

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "open": {
      const { socket } = command;
      report({ type: "closed", socket, cause: { origin: "client", code: 0 } });
      report({ type: "load", socket, request: 1, keyType: "session", ids: ["1"] });
      return report({ type: "save", socket, request: 2, keys: [] });
    }
    case "reply":
      return report({
        type: "fault",
        name: `${command.request}:${command.values === null ? "refused" : "answered"}`,
      });
    case "stop":
      return report({ type: "stopped" });
    default:
      return;
  }
};
