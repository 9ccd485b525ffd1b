/// <reference lib="deno.worker" />
/**
 * A socket worker: a handful of Baileys sockets behind a wall. Its permissions reach WhatsApp's host
 * and nothing else; what it needs of the outside it asks of the main thread by message.
 * @module
 */
import "./lockdown.ts"; // before anything that is not ours
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { Command, Report, RequestId, SocketId, SocketSettings } from "../protocol.ts";
import { WA_CERT_DETAILS } from "./baileys.ts";
import { signNatively } from "./curve.ts";
import { tidyHeap } from "./heap.ts";
import { isName } from "./limits.ts";
import { silenceConsole } from "./quiet.ts";
import { BaileysSocket, type LoginVault } from "./socket.ts";

/** Every socket whose connection may still be there. */
const sockets = new Map<SocketId, BaileysSocket>();
/** Those of them that may still ask and tell: after its end a socket is silent, whatever its code goes on doing. */
const speaking = new Set<SocketId>();
const questions = new Map<
  RequestId,
  { resolve(values: ReadonlyMap<string, string>): void; reject(error: Error): void }
>();
let nextRequest: RequestId = 1;
let settings: SocketSettings;

silenceConsole();
signNatively();
tidyHeap();

/** Never read: that it is there is what it says. */
let _lifeline: MessagePort;

function report(message: Report): void {
  self.postMessage(message);
}

function ask(question: (request: RequestId) => Report): Promise<ReadonlyMap<string, string>> {
  const request = nextRequest++;
  return new Promise((resolve, reject) => {
    questions.set(request, { resolve, reject });
    report(question(request));
  });
}

function vaultOf(socket: SocketId): LoginVault {
  const refuseOver = () => {
    if (!speaking.has(socket)) throw new Error("The socket is over.");
  };
  return {
    load: async (keyType, ids) => {
      refuseOver();
      return await ask((request) => ({ type: "load", socket, request, keyType, ids }));
    },
    save: async (keys, credentials) => {
      refuseOver();
      const login = credentials === undefined ? {} : { credentials };
      await ask((request) => ({ type: "save", socket, request, keys, ...login }));
    },
  };
}

function open({ socket, purpose }: Extract<Command, { type: "open" }>): void {
  const close = (cause: DisconnectCause) => {
    if (speaking.delete(socket)) report({ type: "closed", socket, cause });
  };
  speaking.add(socket);
  try {
    const opened = new BaileysSocket(purpose, settings, vaultOf(socket), {
      qr: (string, ordinal, generatedAt) =>
        report({ type: "qr", socket, string, ordinal, generatedAt, now: performance.now() }),
      paired: async (credentials, keys) => {
        await ask((request) => ({ type: "paired", socket, request, credentials, keys }));
      },
      passkeyDemanded: () => report({ type: "passkey_demanded", socket }),
      identified: (jid) => report({ type: "identified", socket, jid }),
      connected: (jid) => report({ type: "connected", socket, jid }),
      closed: close,
    });
    sockets.set(socket, opened);
    void opened.gone.then(({ unlinked }) => {
      sockets.delete(socket);
      speaking.delete(socket);
      report({ type: "gone", socket, unlinked });
    });
  } catch {
    close({ origin: "client", code: 0 });
    report({ type: "gone", socket, unlinked: false });
  }
}

self.onmessage = ({ data: command }: MessageEvent<Command>) => {
  switch (command.type) {
    case "start":
      settings = command.settings;
      _lifeline = command.lifeline;
      if (settings.rootKey !== undefined) {
        WA_CERT_DETAILS.PUBLIC_KEY = Uint8Array.from(
          settings.rootKey.match(/../g) ?? [],
          (byte) => parseInt(byte, 16),
        ) as typeof WA_CERT_DETAILS.PUBLIC_KEY;
      }
      return;
    case "pulse":
      for (const socket of sockets.values()) socket.endIfSilent(settings.silenceMs);
      return report({
        type: "pulse",
        memoryBytes: memoryInUse(),
        now: performance.now(),
        heard: Array.from(sockets, ([id, { heardAt }]) => [id, heardAt] as const),
      });
    case "stop":
      Promise.all(Array.from(sockets.values(), (socket) => socket.close(false)))
        .finally(() => report({ type: "stopped" }));
      return;
    case "open":
      return open(command);
    case "close":
      return void sockets.get(command.socket)?.close(command.unlink);
    case "reply": {
      const question = questions.get(command.request);
      questions.delete(command.request);
      return command.values === null
        ? question?.reject(new Error("The main thread could not answer."))
        : question?.resolve(command.values);
    }
    default:
      return command satisfies never;
  }
};

// What one session's code throws where nobody catches it must cost neither the other sessions' sockets nor,
// printed by the runtime, a secret. Whether its own socket survived is found out by its silence.
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
