/**
 * One worker, from the outside: its sockets, its pulse, its end.
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Command, Pulse, Purpose, Report, SocketId, SocketSettings } from "./protocol.ts";
import type { SocketListener } from "./socket_layer.ts";
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
}

/** How long a worker that was asked to close its sockets may take, in milliseconds. */
const CLOSE_MS = 3_000;

export class SocketWorker {
  readonly startedAt: number;
  readonly #options: SocketWorkerOptions;
  readonly #worker: Worker;
  readonly #sockets = new Map<SocketId, SocketListener>();
  readonly #heardAt = new Map<SocketId, number>();
  readonly #closed = Promise.withResolvers<void>();
  #askedPulseAt: number | null = null;
  #memoryBytes = 0;
  /** Sockets that ended unanswered since the worker last heard a word from WhatsApp. */
  #unanswered = 0;
  #over = false;

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
    this.#post({ type: "start", settings });
  }

  /** How many sockets it carries. */
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
    return this.#heardAt.get(socket) ?? null;
  }

  open(socket: SocketId, purpose: Purpose, listener: SocketListener): void {
    this.#sockets.set(socket, listener);
    this.#post({ type: "open", socket, purpose });
  }

  close(socket: SocketId, unlink: boolean): void {
    this.#heardAt.delete(socket);
    if (this.#sockets.delete(socket)) this.#post({ type: "close", socket, unlink });
  }

  /** Asks for a pulse, or gives the worker up when it has owed one for too long. */
  feelPulse(hangMs: number, memoryLimitBytes: number): void {
    const now = this.#options.clock.now();
    if (this.#askedPulseAt !== null) {
      const overdue = now - this.#askedPulseAt;
      if (overdue >= hangMs) this.giveUp("hung", `no pulse for ${overdue} ms`);
      return;
    }
    if (this.#memoryBytes > memoryLimitBytes) {
      return this.giveUp("out_of_memory", `${Math.round(this.#memoryBytes / 2 ** 20)} MiB`);
    }
    this.#askedPulseAt = now;
    this.#post({ type: "pulse" });
  }

  /** Closes every socket without unlinking, and ends the worker. */
  async stop(): Promise<void> {
    if (this.#over) return;
    this.#sockets.clear();
    const cancel = this.#options.clock.after(CLOSE_MS, () => this.#closed.resolve());
    this.#post({ type: "stop" });
    await this.#closed.promise;
    cancel();
    this.#terminate();
  }

  /** Ends the worker at once. Its sockets end with it, and are told so. */
  giveUp(end: WorkerEnd, detail: string): void {
    if (this.#over) return;
    this.#terminate();
    const orphans = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#options.onEnd(end, detail);
    for (const listener of orphans) listener.closed({ origin: "worker" });
  }

  #terminate(): void {
    this.#over = true;
    this.#heardAt.clear();
    this.#closed.resolve();
    this.#worker.terminate();
  }

  #post(command: Command): void {
    if (!this.#over) this.#worker.postMessage(command);
  }

  #onReport(report: Report): void {
    if (this.#over) return;
    switch (report.type) {
      case "pulse":
        return this.#onPulse(report);
      case "stopped":
        return this.#closed.resolve();
      case "fault":
        return this.#options.onFault(report.name);
      default: {
        const listener = this.#sockets.get(report.socket);
        if (listener !== undefined) return this.#pass(report, listener);
        // A late word: the socket is over, and nobody waits for it any more. A late question is refused, for in
        // the worker an answer that never comes would keep the whole socket alive.
        if (report.type === "load" || report.type === "save") {
          this.#post({ type: "reply", request: report.request, values: null });
        }
      }
    }
  }

  #onPulse({ memoryBytes, heard }: Pulse): void {
    this.#askedPulseAt = null;
    this.#memoryBytes = memoryBytes;
    for (const [socket, at] of heard) if (this.#sockets.has(socket)) this.#heardAt.set(socket, at);
  }

  #pass(report: Exclude<Report, Pulse | { type: "stopped" | "fault" }>, listener: SocketListener): void {
    switch (report.type) {
      case "qr":
        this.#unanswered = 0;
        return listener.qr(report.string, report.ordinal, report.generatedAt);
      case "paired":
        return listener.paired(report.credentials, report.keys);
      case "passkey_demanded":
        return listener.passkeyDemanded();
      case "identified":
        return listener.identified(report.jid);
      case "connected":
        this.#unanswered = 0;
        return listener.connected(report.jid);
      case "closed":
        if (report.cause.origin === "client" && report.cause.code === 408) this.#unanswered++;
        this.#sockets.delete(report.socket);
        this.#heardAt.delete(report.socket);
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
