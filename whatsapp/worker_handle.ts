/**
 * One worker, from the outside: its sockets, its pulse, its end.
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { DisconnectCause } from "../domain/disconnect.ts";
import { type Clock, wallTimeOf } from "../runtime/clock.ts";
import { Conduct } from "./conduct.ts";
import type { Command, Pulse, Report, SocketId, SocketSettings } from "./protocol.ts";
import type { Purpose } from "../sessions/ports/sockets.ts";
import { checkReport } from "./reports.ts";
import type { Departure, SocketListener } from "../sessions/ports/sockets.ts";
import { workerPermissions } from "./sandbox.ts";
import { WorkerTime } from "./worker_time.ts";

/** Why a worker is given up: it threw, it no longer answers, it has grown too large, or it said what cannot be. */
export type WorkerEnd = "crashed" | "hung" | "out_of_memory" | "misbehaved";

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
  /** By steady time. */
  heardAt: number | null;
  readonly gone: PromiseWithResolvers<Departure>;
  readonly conduct: Conduct;
  /** Whether a QR was shown, so that its end is no sign of WhatsApp's not answering. */
  hasShown: boolean;
}

/** How long a worker that was asked to close its sockets may take, in milliseconds. */
const CLOSE_MS = 3_000;
/**
 * No instant that a worker tells is believed to be further back than this, or in the future: its clock is the same,
 * and a QR or a sign of life that does not age would be there for good. In milliseconds.
 */
const PAST_MS = 60_000;
/** A report is under way for no longer than this, in milliseconds, unless the thread hangs that it comes from or goes to. */
const TRANSIT_MS = 5_000;
/** By how much the counts of two threads may differ in what they call the same moment, in milliseconds. */
const TIME_SLACK_MS = 1_000;

export class SocketWorker {
  /** By steady time, in milliseconds. */
  readonly startedAt: number;
  readonly #options: SocketWorkerOptions;
  readonly #worker: Worker;
  /** Closes when the worker's thread is over, and with it every connection; however it came about. */
  readonly #lifeline: MessagePort;
  readonly #sockets = new Map<SocketId, Carried>();
  readonly #closed = Promise.withResolvers<void>();
  /** By steady time. */
  #askedPulseAt: number | null = null;
  /** Whether it has loaded its packages, which the first report shows. */
  #isUp = false;
  readonly #time: WorkerTime;
  #memoryBytes = 0;
  #lastRequest = 0;
  /** Sockets that ended unanswered since the worker last heard a word from WhatsApp. */
  #unanswered = 0;
  #over = false;
  #isStopping = false;
  #cancelWait: (() => void) | null = null;

  constructor(options: SocketWorkerOptions) {
    const { script, settings, clock } = options;
    this.#options = options;
    this.startedAt = clock.steady();
    this.#time = new WorkerTime(() => clock.steady());
    this.#worker = new Worker(script.href, {
      type: "module",
      name: "whatsapp",
      deno: { permissions: workerPermissions(settings.url) },
    });
    this.#worker.onmessage = (event: MessageEvent<unknown>) => this.#onMessage(event);
    this.#worker.onmessageerror = () => this.#misbehaved("message: unreadable");
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

  /** When this socket last heard a word from WhatsApp, as of the last pulse; wall time, in milliseconds. */
  heardAt(socket: SocketId): number | null {
    const moment = this.#sockets.get(socket)?.heardAt ?? null;
    return moment === null ? null : wallTimeOf(this.#options.clock, moment);
  }

  /** Opens a socket. @returns what resolves once its connection is down */
  open(socket: SocketId, purpose: Purpose, listener: SocketListener): Promise<Departure> {
    const gone = Promise.withResolvers<Departure>();
    this.#sockets.set(socket, {
      listener,
      heardAt: null,
      gone,
      conduct: new Conduct(purpose.kind),
      hasShown: false,
    });
    this.#post({ type: "open", socket, purpose });
    return gone.promise;
  }

  close(socket: SocketId, unlink: boolean): void {
    const carried = this.#sockets.get(socket);
    if (!carried?.listener) return;
    carried.listener = null;
    carried.conduct.told();
    this.#post({ type: "close", socket, unlink });
  }

  /** Asks for a pulse, or gives the worker up when it has owed one for too long. */
  feelPulse({ hangMs, startMs, memoryLimitBytes }: WorkerBounds): void {
    const now = this.#options.clock.steady();
    if (this.#askedPulseAt !== null) {
      const overdue = now - this.#askedPulseAt;
      if (overdue >= (this.#isUp ? hangMs : Math.max(startMs, hangMs))) {
        this.giveUp("hung", `no pulse for ${Math.round(overdue)} ms`);
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
    this.#isStopping = true;
    for (const carried of this.#sockets.values()) {
      carried.listener = null;
      carried.conduct.told();
    }
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

  // ── What the worker says ───────────────────────────────────────────────────────────────────────

  #onMessage({ data, ports }: MessageEvent<unknown>): void {
    if (this.#over) return;
    if (!this.#isUp) {
      this.#isUp = true;
      // What it took to start is no hanging.
      if (this.#askedPulseAt !== null) this.#askedPulseAt = this.#options.clock.steady();
    }
    for (const port of ports) port.close();
    const checked = checkReport(data);
    if (!checked.ok) return this.#misbehaved(checked.flaw);
    if (ports.length > 0) return this.#misbehaved("message: ports");
    if (!this.#onReport(checked.report)) this.#misbehaved(`${checked.report.type}: out of turn`);
  }

  /** A worker that says what cannot be is not believed in anything any more. */
  #misbehaved(flaw: string): void {
    this.giveUp("misbehaved", flaw);
  }

  /** @returns false when it makes no sense at this moment */
  #onReport(report: Report): boolean {
    switch (report.type) {
      case "pulse":
        return this.#onPulse(report);
      case "stopped":
        this.#closed.resolve();
        return this.#isStopping;
      case "fault":
        this.#options.onFault(report.name);
        return true;
      default: {
        const carried = this.#sockets.get(report.socket);
        if (carried === undefined || !carried.conduct.permits(report)) return false;
        if ("request" in report) {
          if (report.request <= this.#lastRequest) return false;
          this.#lastRequest = report.request;
        }
        if (report.type === "gone") {
          this.#sockets.delete(report.socket);
          carried.gone.resolve({ unlinked: report.unlinked });
          return true;
        }
        if (report.type === "qr" && (report.generatedAt > report.now || !this.#hearTime(report.now))) {
          return false;
        }
        if (carried.listener !== null) this.#pass(report, carried, carried.listener);
        // The socket is over, and nobody waits for its reports any more. A late question is refused, for in the
        // worker an answer that never comes would keep the whole socket alive.
        else if ("request" in report) this.#post({ type: "reply", request: report.request, values: null });
        return true;
      }
    }
  }

  #onPulse({ memoryBytes, now, heard }: Pulse): boolean {
    if (this.#askedPulseAt === null || !this.#hearTime(now)) return false;
    this.#askedPulseAt = null;
    this.#memoryBytes = memoryBytes;
    for (const [socket, at] of heard) {
      const carried = this.#sockets.get(socket);
      if (carried === undefined || at > now) return false;
      if (carried.listener !== null) carried.heardAt = this.#momentOf(at, now);
    }
    return true;
  }

  #pass(
    report: Exclude<Report, Pulse | { type: "stopped" | "fault" | "gone" }>,
    carried: Carried,
    listener: SocketListener,
  ): void {
    switch (report.type) {
      case "qr":
        this.#unanswered = 0;
        carried.hasShown = true;
        return listener.qr(report.string, report.ordinal, this.#momentOf(report.generatedAt, report.now));
      case "paired":
        return this.#reply(
          report.request,
          listener.paired(report.credentials, report.keys).then(() => {
            carried.conduct.kept();
            return new Map();
          }),
        );
      case "passkey_demanded":
        return listener.passkeyDemanded();
      case "identified":
        return listener.identified(report.jid);
      case "connected":
        this.#unanswered = 0;
        return listener.connected(report.jid);
      case "closed":
        if (isUnanswered(report.cause) && !carried.hasShown) this.#unanswered++;
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

  /**
   * Takes note of the worker's time, by its own count.
   * @returns false when it cannot be that late in the worker: it began after we had asked for it
   */
  #hearTime(now: number): boolean {
    const age = this.#options.clock.steady() - this.startedAt;
    if (now < 0 || now > age + TIME_SLACK_MS) return false;
    this.#time.hear(now);
    return true;
  }

  /**
   * A moment that the worker tells by its count, by ours, and as far as it can be true.
   * @param sent when the worker told it, by its count
   */
  #momentOf(moment: number, sent: number): number {
    const now = this.#options.clock.steady();
    const latest = now - (sent - moment);
    const told = Math.max(this.#time.of(moment), latest - TRANSIT_MS);
    return Math.max(Math.min(told, latest), now - PAST_MS);
  }

  #reply(request: number, answer: Promise<ReadonlyMap<string, string>>): void {
    answer.then(
      (values) => this.#post({ type: "reply", request, values }),
      () => this.#post({ type: "reply", request, values: null }),
    );
  }
}

/** Whether WhatsApp has not answered. A pairing that nobody scanned ends alike, after it has shown its QRs. */
function isUnanswered(cause: DisconnectCause): boolean {
  return cause.origin === "client" && cause.code === 408;
}
