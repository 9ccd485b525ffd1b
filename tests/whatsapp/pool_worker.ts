/// <reference lib="deno.worker" />
/**
 * A worker whose sockets do what their credentials say. It answers heartbeats and closes its sockets as it should; by
 * its clock no time passes.
 * @module
 */
import type { Command, Report, SocketId, WorkerEvent } from "../../whatsapp/protocol.ts";

/** What a socket does when it is opened, in this order. */
export interface SocketScript {
  readonly events?: readonly WorkerEvent[];
  /** Its connection is down. */
  readonly gone?: boolean;
  /** What every heartbeat tells from now on, in bytes. */
  readonly memoryBytes?: number;
  /** Ends the worker. */
  readonly crash?: boolean;
}

const NOW = { at: 0, now: 0 };
const sockets = new Set<SocketId>();
let memoryBytes = 1;

const report = (message: Report) => self.postMessage(message);

function open(socket: SocketId, script: SocketScript): void {
  sockets.add(socket);
  memoryBytes = script.memoryBytes ?? memoryBytes;
  for (const event of script.events ?? []) report({ type: "event", socket, event, ...NOW });
  if (script.gone) end(socket, false);
  if (script.crash) self.close();
}

function end(socket: SocketId, unlinked: boolean): void {
  sockets.delete(socket);
  report({ type: "gone", socket, unlinked });
}

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "open":
      if (command.purpose.kind !== "login") return;
      return open(command.socket, JSON.parse(command.purpose.credentials));
    case "close":
      return end(command.socket, command.unlink);
    case "request": {
      const { id, request } = command;
      if (request.type === "stop") return report({ type: "answer", id, answer: { type: "stop" } });
      const heard = Array.from(sockets, (socket) => [socket, 0] as const);
      return report({ type: "answer", id, answer: { type: "heartbeat", memoryBytes, now: 0, heard } });
    }
  }
};
