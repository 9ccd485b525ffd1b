/**
 * The thread that a worker runs on: it takes commands, and tells what it sends and how it ends.
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Command, SocketSettings } from "./protocol.ts";
import { workerPermissions } from "./sandbox.ts";

/** What a thread runs, and whom it tells. */
export interface WorkerThreadOptions {
  readonly script: URL;
  readonly settings: SocketSettings;
  readonly onMessage: (message: unknown, ports: readonly globalThis.MessagePort[]) => void;
  /** Called for a message that cannot be read. */
  readonly onUnreadable: () => void;
  /** Called when the thread's code has thrown, with the error's name. */
  readonly onError: (name: string) => void;
  /** Called once the thread is over, and with it every connection, however it came about. */
  readonly onOver: () => void;
}

/** The thread of one worker, with the permissions of the sandbox. */
export class WorkerThread {
  readonly #worker: Worker;
  /** Its other end, in the thread, closes when the thread is over. */
  readonly #lifeline: MessagePort;

  /** Starts the thread, in its sandbox. */
  constructor({ script, settings, onMessage, onUnreadable, onError, onOver }: WorkerThreadOptions) {
    this.#worker = new Worker(script.href, {
      type: "module",
      name: "whatsapp",
      deno: { permissions: workerPermissions(settings.url) },
    });
    this.#worker.onmessage = ({ data, ports }: MessageEvent<unknown>) => onMessage(data, ports);
    this.#worker.onmessageerror = onUnreadable;
    this.#worker.onerror = (event) => {
      event.preventDefault();
      // The text stays out of the log: it may quote what the library was working on.
      onError(event.error instanceof Error ? event.error.name : "an error");
    };
    const { port1, port2 } = new MessageChannel();
    this.#lifeline = port1;
    // Only a port that listens learns of the other one's end.
    port1.on("close", onOver).start();
    const lifeline = port2 as unknown as globalThis.MessagePort;
    this.post({ type: "start", settings, lifeline }, [lifeline]);
  }

  post(command: Command, transfer: Transferable[] = []): void {
    this.#worker.postMessage(command, transfer);
  }

  /** Ends the thread as soon as the runtime can. */
  terminate(): void {
    this.#worker.terminate();
  }

  /** Stops waiting for the thread's end. */
  release(): void {
    this.#lifeline.close();
  }
}
