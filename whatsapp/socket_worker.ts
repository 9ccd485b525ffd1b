/**
 * One worker, from the outside: its sockets, its pulse, its end.
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Clock } from "./clock.ts";
import type { Command, Pulse, Purpose, Report, SocketId, SocketSettings } from "./protocol.ts";
import type { Departure, SocketListener } from "./socket_layer.ts";
import { workerPermissions } from "./wall.ts";

/** Why a worker is given up: it threw, it no longer answers, or it has grown too large. */
export type WorkerEnd = "crashed" | "hung" | "out_of_memory";

export interface SocketWorkerOptions {
  readonly script: URL;
  readonly settings: SocketSettings;
  readonly clock: Clock;
  /** Called once, when the worker has to be given up; it is terminated already. */
  readonly onEnd: (end: WorkerEnd, detail: string) => void;
  /** Called when something threw in the worker that nobody caught; it goes on. */
  readonly onFault: (name: string) => void;
  /** Called when the thread of a worker that was given up does not end; its sockets are counted as gone. */
  readonly onUnended: () => void;
  /** How long that thread is waited for, in milliseconds. */
  readonly unendedMs: number;
}

/** What a worker may owe and take, in milliseconds and bytes; `WatchOptions` of `worker_pool.ts` says more. */
export interface WorkerBounds {
  readonly hangMs: number;
  readonly startMs: number;
  readonly memoryLimitBytes: number;
}

/** One socket, until its connection is down. */
interface Carried {
  /** Null once nothing more is to be told. */
  listener: SocketListener | null;
  heardAt: number | null;
  readonly gone: PromiseWithResolvers<Departure>;
}

/** How long a worker that was asked to close its sockets may take, in milliseconds. */
const CLOSE_MS = 3_000;

export class SocketWorker {
  readonly startedAt: number;
  readonly #options: SocketWorkerOptions;
  readonly #worker: Worker;
  /** Closes when the worker's thread is over, and with it every connection; however it came about. */
  readonly #lifeline: MessagePort;
  readonly #sockets = new Map<SocketId, Carried>();
  readonly #closed = Promise.withResolvers<void>();
  #askedPulseAt: number | null = null;
  /** Whether it has loaded its packages, which the first report shows. */
  #isUp = false;
  #memoryBytes = 0;
  /** Sockets that ended unanswered since the worker last heard a word from WhatsApp. */
  #unanswered = 0;
  #over = false;
  #cancelWait: (() => void) | null = null;

  constructor(options: SocketWorkerOptions) {
    const { script, settings, clock } = options;
    this.#options = options;
    this.startedAt = clock.now();
    this.#worker = new Worker(script.href, {
      type: "module",
      name: "whatsapp",
      deno: { permissions: workerPermissions(settings.url) },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Report>) => this.#onReport(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      // The library's own words stay out of the log: they may quote what it was working on.
      this.giveUp("crashed", event.error instanceof Error ? event.error.name : "an error");
    };
    const { port1, port2 } = new MessageChannel();
    this.#lifeline = port1;
    // Only a port that listens learns of the other one's end.
    port1.on("close", () => this.#onThreadOver()).start();
    const lifeline = port2 as unknown as globalThis.MessagePort;
    this.#post({ type: "start", settings, lifeline }, [lifeline]);
  }

  /** How many sockets it carries, those included whose connection is only going down. */
  get size(): number {
    return this.#sockets.size;
  }

  /** How much memory it took when it last told, in bytes. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get unanswered(): number {
    return this.#unanswered;
  }

  /** When this socket last heard a word from WhatsApp, as of the last pulse; milliseconds. */
  heardAt(socket: SocketId): number | null {
    return this.#sockets.get(socket)?.heardAt ?? null;
  }

  /** Opens a socket. @returns what resolves once its connection is down */
  open(socket: SocketId, purpose: Purpose, listener: SocketListener): Promise<Departure> {
    const gone = Promise.withResolvers<Departure>();
    this.#sockets.set(socket, { listener, heardAt: null, gone });
    this.#post({ type: "open", socket, purpose });
    return gone.promise;
  }

  close(socket: SocketId, unlink: boolean): void {
    const carried = this.#sockets.get(socket);
    if (!carried?.listener) return;
    carried.listener = null;
    this.#post({ type: "close", socket, unlink });
  }

  /** Asks for a pulse, or gives the worker up when it has owed one for too long. */
  feelPulse({ hangMs, startMs, memoryLimitBytes }: WorkerBounds): void {
    const now = this.#options.clock.now();
    if (this.#askedPulseAt !== null) {
      const overdue = now - this.#askedPulseAt;
      if (overdue >= (this.#isUp ? hangMs : Math.max(startMs, hangMs))) {
        this.giveUp("hung", `no pulse for ${overdue} ms`);
      }
      return;
    }
    if (this.#memoryBytes > memoryLimitBytes) {
      return this.giveUp("out_of_memory", `${Math.round(this.#memoryBytes / 2 ** 20)} MiB`);
    }
    this.#askedPulseAt = now;
    this.#post({ type: "pulse" });
  }

  /**
   * Closes every socket without unlinking, and ends the worker; one that was given up is not waited for any
   * longer. Nothing more is told of any socket.
   */
  async stop(): Promise<void> {
    for (const carried of this.#sockets.values()) carried.listener = null;
    if (!this.#over) {
      const cancel = this.#options.clock.after(CLOSE_MS, () => this.#closed.resolve());
      this.#post({ type: "stop" });
      await this.#closed.promise;
      cancel();
      this.#terminate();
    }
    this.#letGo();
  }

  /** Ends the worker as soon as the runtime can. Its sockets end with it, and are told so at once. */
  giveUp(end: WorkerEnd, detail: string): void {
    if (this.#over) return;
    this.#terminate();
    const { clock, unendedMs, onEnd, onUnended } = this.#options;
    // A thread that never yields is not ended by anything.
    this.#cancelWait = clock.after(unendedMs, () => {
      onUnended();
      this.#letGo();
    });
    onEnd(end, detail);
    for (const carried of this.#sockets.values()) {
      const { listener } = carried;
      carried.listener = null;
      listener?.closed({ origin: "worker" });
    }
  }

  #terminate(): void {
    this.#over = true;
    this.#closed.resolve();
    this.#worker.terminate();
  }

  #onThreadOver(): void {
    this.giveUp("crashed", "it ended by itself");
    this.#letGo();
  }

  /** Nothing is left of the worker, or nothing that could be waited for. */
  #letGo(): void {
    this.#cancelWait?.();
    this.#lifeline.close();
    for (const { gone } of this.#sockets.values()) gone.resolve({ unlinked: false });
    this.#sockets.clear();
  }

  #post(command: Command, transfer: Transferable[] = []): void {
    if (!this.#over) this.#worker.postMessage(command, transfer);
  }

  #onReport(report: Report): void {
    if (this.#over) return;
    if (!this.#isUp) {
      this.#isUp = true;
      // What it took to start is no hanging.
      if (this.#askedPulseAt !== null) this.#askedPulseAt = this.#options.clock.now();
    }
    switch (report.type) {
      case "pulse":
        return this.#onPulse(report);
      case "stopped":
        return this.#closed.resolve();
      case "fault":
        return this.#options.onFault(report.name);
      default: {
        const carried = this.#sockets.get(report.socket);
        if (report.type === "gone") {
          this.#sockets.delete(report.socket);
          return carried?.gone.resolve({ unlinked: report.unlinked });
        }
        if (carried?.listener) return this.#pass(report, carried, carried.listener);
        // A late word: the socket is over, and nobody waits for it any more. A late question is refused, for in
        // the worker an answer that never comes would keep the whole socket alive.
        if ("request" in report) {
          this.#post({ type: "reply", request: report.request, values: null });
        }
      }
    }
  }

  #onPulse({ memoryBytes, heard }: Pulse): void {
    this.#askedPulseAt = null;
    this.#memoryBytes = memoryBytes;
    for (const [socket, at] of heard) {
      const carried = this.#sockets.get(socket);
      if (carried?.listener) carried.heardAt = at;
    }
  }

  #pass(
    report: Exclude<Report, Pulse | { type: "stopped" | "fault" | "gone" }>,
    carried: Carried,
    listener: SocketListener,
  ): void {
    switch (report.type) {
      case "qr":
        this.#unanswered = 0;
        return listener.qr(report.string, report.ordinal, report.generatedAt);
      case "paired":
        return this.#reply(
          report.request,
          listener.paired(report.credentials, report.keys).then(() => new Map()),
        );
      case "passkey_demanded":
        return listener.passkeyDemanded();
      case "identified":
        return listener.identified(report.jid);
      case "connected":
        this.#unanswered = 0;
        return listener.connected(report.jid);
      case "closed":
        if (report.cause.origin === "client" && report.cause.code === 408) this.#unanswered++;
        carried.listener = null;
        return listener.closed(report.cause);
      case "load":
        return this.#reply(report.request, listener.load(report.keyType, report.ids));
      case "save":
        return this.#reply(
          report.request,
          listener.save(report.keys, report.credentials).then(() => new Map()),
        );
      default:
        return report satisfies never;
    }
  }

  #reply(request: number, answer: Promise<ReadonlyMap<string, string>>): void {
    answer.then(
      (values) => this.#post({ type: "reply", request, values }),
      () => this.#post({ type: "reply", request, values: null }),
    );
  }
}
