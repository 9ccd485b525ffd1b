/// <reference lib="deno.worker" />
/**
 * A socket worker: a handful of Baileys sockets in a sandbox. Its permissions reach WhatsApp's host and nothing else;
 * what it needs besides it requests from the main thread by message.
 * @module
 */
import "./lockdown.ts"; // before anything that is not ours
import type { Command, Report, RequestId, SocketId, SocketSettings, WorkerRequest } from "../protocol.ts";
import { WA_CERT_DETAILS } from "./baileys.ts";
import { signNatively } from "./curve.ts";
import { tidyHeap } from "./heap.ts";
import { isName } from "./limits.ts";
import { Outlet, type SocketRequests } from "./outlet.ts";
import { silenceConsole } from "./quiet.ts";
import { PendingRequests } from "./requests.ts";
import { BaileysSocket } from "./socket.ts";

/** Every socket whose connection may still be there. */
const sockets = new Map<SocketId, BaileysSocket>();
const requests: SocketRequests = new PendingRequests();
let settings: SocketSettings;

silenceConsole();
signNatively();
tidyHeap();

/** Kept and never read: its other end closes when this thread is over. */
let _lifeline: MessagePort;

function report(message: Report): void {
  self.postMessage(message);
}

function open({ socket, purpose }: Extract<Command, { type: "open" }>): void {
  const outlet = new Outlet(socket, requests, report);
  try {
    const opened = new BaileysSocket(purpose, settings, outlet);
    sockets.set(socket, opened);
    void opened.gone.then(({ unlinked }) => {
      sockets.delete(socket);
      outlet.end(unlinked);
    });
  } catch {
    outlet.send({ type: "closed", cause: { origin: "client", code: 0 } }, performance.now());
    outlet.end(false);
  }
}

function start(command: Extract<Command, { type: "start" }>): void {
  settings = command.settings;
  _lifeline = command.lifeline;
  if (settings.rootKey === undefined) return;
  WA_CERT_DETAILS.PUBLIC_KEY = Uint8Array.from(
    settings.rootKey.match(/../g) ?? [],
    (byte) => parseInt(byte, 16),
  ) as typeof WA_CERT_DETAILS.PUBLIC_KEY;
}

function carryOut(id: RequestId, request: WorkerRequest): void {
  switch (request.type) {
    case "heartbeat": {
      for (const socket of sockets.values()) socket.endIfSilent(settings.silenceMs);
      const heard = Array.from(sockets, ([socket, { heardAt }]) => [socket, heardAt] as const);
      const answer = {
        type: "heartbeat",
        memoryBytes: memoryInUse(),
        now: performance.now(),
        heard,
      } as const;
      return report({ type: "answer", id, answer });
    }
    case "stop":
      return void Promise.all(Array.from(sockets.values(), (socket) => socket.close(false)))
        .finally(() => report({ type: "answer", id, answer: { type: "stop" } }));
    default:
      return request satisfies never;
  }
}

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "start":
      return start(command);
    case "open":
      return open(command);
    case "close":
      return void sockets.get(command.socket)?.close(command.unlink);
    case "request":
      return carryOut(command.id, command.request);
    case "answer":
      return void requests.settle(command.id, command.values);
    default:
      return command satisfies never;
  }
};

// An error that one session's code does not catch must cost neither the other sessions' sockets nor, printed by the
// runtime, a secret. Whether its own socket has survived shows in its silence.
self.addEventListener("error", (event) => {
  event.preventDefault();
  report({ type: "fault", name: nameOf(event.error) });
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  report({ type: "fault", name: nameOf(event.reason) });
});

/** This worker's own share of the process's memory, in bytes. */
function memoryInUse(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** The kind of an error; its text may quote what was being worked on. */
function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  return isName(thrown.name) ? thrown.name : "Error";
}
