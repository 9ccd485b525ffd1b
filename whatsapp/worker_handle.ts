/**
 * One worker, from the outside: its sockets, its heartbeat, its end.
 * @module
 */
import { type Clock, wallTimeOf } from "../runtime/clock.ts";
import type { ClosedConnection, Purpose, SocketListener } from "../sessions/ports/sockets.ts";
import { CarriedSocket } from "./carried_socket.ts";
import type { Command, Report, SocketId, SocketSettings, WorkerAnswer, WorkerRequest } from "./protocol.ts";
import { checkReport, kindOf } from "./reports.ts";
import { WorkerThread } from "./worker_thread.ts";
import { WorkerTime } from "./worker_time.ts";
import { DeadlineError, type PendingRequest, PendingRequests } from "./worker/requests.ts";

/** Why a worker is given up: it threw, it no longer answers, it has grown too large, or it sent what cannot be. */
export type WorkerEnd = "crashed" | "hung" | "out_of_memory" | "misbehaved";

/** What one worker needs, and whom it tells of its end. */
export interface WorkerHandleOptions {
  readonly script: URL;
  readonly settings: SocketSettings;
  readonly clock: Clock;
  /** Called once, when the worker has to be given up; it is terminated already. */
  readonly onEnd: (end: WorkerEnd, detail: string) => void;
  /** Called when the worker did not catch an error; it goes on. */
  readonly onFault: (name: string) => void;
  /** Called when the thread of a worker that was given up does not end; its sockets count as gone. */
  readonly onUnended: () => void;
  /** How long that thread is waited for, in milliseconds. */
  readonly unendedMs: number;
}

/** Limits of a worker, in milliseconds and bytes; `WatchOptions` of `worker_pool.ts` says more. */
export interface WorkerBounds {
  readonly hangMs: number;
  readonly startMs: number;
  readonly memoryLimitBytes: number;
}

type AnswerTo<Type extends WorkerRequest["type"]> = Extract<WorkerAnswer, { type: Type }>;
type Heartbeat = AnswerTo<"heartbeat">;
type ReportOf<Type extends Report["type"]> = Extract<Report, { type: Type }>;

/** How long a worker that was asked to close its sockets may take, in milliseconds. */
const STOP_MS = 3_000;

/** The main thread's side of one worker. */
export class WorkerHandle {
  /** By steady time, in milliseconds. */
  readonly startedAt: number;
  readonly #options: WorkerHandleOptions;
  readonly #thread: WorkerThread;
  readonly #time: WorkerTime;
  readonly #sockets = new Map<SocketId, CarriedSocket>();
  /** What this side asks of the worker. */
  readonly #requests = new PendingRequests<WorkerAnswer>();
  /** The heartbeat that is waited for, and how long it may take once the worker is up. */
  #heartbeat: { readonly request: PendingRequest<Heartbeat>; readonly hangMs: number } | null = null;
  /** Whether it has loaded its packages, which its first report shows. */
  #isUp = false;
  #memoryBytes = 0;
  /** The id of the sockets' last request. */
  #lastRequest = 0;
  /** Sockets that ended unanswered since the worker last received something from WhatsApp. */
  #unanswered = 0;
  #isOver = false;
  #cancelWait: (() => void) | null = null;

  constructor(options: WorkerHandleOptions) {
    const { script, settings, clock } = options;
    this.#options = options;
    this.startedAt = clock.steady();
    this.#time = new WorkerTime(clock);
    this.#thread = new WorkerThread({
      script,
      settings,
      onMessage: (message, ports) => this.#onMessage(message, ports),
      onUnreadable: () => this.#onMisbehaviour("message: unreadable"),
      onError: (name) => this.giveUp("crashed", name),
      onOver: () => {
        this.giveUp("crashed", "it ended by itself");
        this.#release();
      },
    });
  }

  /** How many sockets it carries, those included whose connection is only going down. */
  get size(): number {
    return this.#sockets.size;
  }

  /** How much memory it took at its last heartbeat, in bytes. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** How many sockets in a row WhatsApp has left unanswered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** When this socket last received something from WhatsApp, as of the last heartbeat; wall time, in milliseconds. */
  heardAt(socket: SocketId): number | null {
    const moment = this.#sockets.get(socket)?.heardAt ?? null;
    return moment === null ? null : wallTimeOf(this.#options.clock, moment);
  }

  /** Opens a socket. @returns resolves once its connection is down */
  open(socket: SocketId, purpose: Purpose, listener: SocketListener): Promise<ClosedConnection> {
    const carried = new CarriedSocket(purpose, listener);
    this.#sockets.set(socket, carried);
    this.#post({ type: "open", socket, purpose });
    return carried.gone.promise;
  }

  close(socket: SocketId, unlink: boolean): void {
    const carried = this.#sockets.get(socket);
    if (!carried?.listener) return;
    carried.markClosing();
    this.#post({ type: "close", socket, unlink });
  }

  /** Asks for a heartbeat unless one is waited for; the worker is given up when it does not come in time. */
  checkHeartbeat({ hangMs, startMs, memoryLimitBytes }: WorkerBounds): void {
    if (this.#isOver || this.#heartbeat !== null) return;
    if (this.#memoryBytes > memoryLimitBytes) {
      return this.giveUp("out_of_memory", `${Math.round(this.#memoryBytes / 2 ** 20)} MiB`);
    }
    const request = this.#ask("heartbeat", this.#isUp ? hangMs : Math.max(startMs, hangMs));
    this.#heartbeat = { request, hangMs };
    request.answer.then(
      (heartbeat) => {
        this.#heartbeat = null;
        if (!this.#onHeartbeat(heartbeat)) this.#onMisbehaviour("heartbeat: out of turn");
      },
      (error) => {
        if (error instanceof DeadlineError) this.giveUp("hung", error.message);
      },
    );
  }

  /**
   * Closes every socket without unlinking, for a few seconds at most, and ends the worker. No listener is called any
   * more.
   */
  async stop(): Promise<void> {
    for (const carried of this.#sockets.values()) carried.markClosing();
    if (!this.#isOver) {
      // One that does not answer is ended all the same.
      await this.#ask("stop", STOP_MS).answer.catch(() => {});
      this.#terminate();
    }
    this.#release();
  }

  /** Ends the worker as soon as the runtime can. Its sockets end with it, and their listeners are told immediately. */
  giveUp(end: WorkerEnd, detail: string): void {
    if (this.#isOver) return;
    this.#terminate();
    const { clock, unendedMs, onEnd, onUnended } = this.#options;
    // A thread that never yields is not ended by anything.
    this.#cancelWait = clock.after(unendedMs, () => {
      onUnended();
      this.#release();
    });
    onEnd(end, detail);
    for (const carried of this.#sockets.values()) {
      carried.pass({ type: "closed", cause: { origin: "worker" } }, clock.steady());
    }
  }

  #terminate(): void {
    this.#isOver = true;
    this.#requests.end(new Error("The worker is over."));
    this.#thread.terminate();
  }

  /** Lets go of a worker of which nothing is left, or nothing that could be waited for. */
  #release(): void {
    this.#cancelWait?.();
    this.#thread.release();
    for (const { gone } of this.#sockets.values()) gone.resolve({ unlinked: false });
    this.#sockets.clear();
  }

  #post(command: Command): void {
    if (!this.#isOver) this.#thread.post(command);
  }

  #ask<Type extends WorkerRequest["type"]>(type: Type, deadlineMs: number): PendingRequest<AnswerTo<Type>> {
    const pending = this.#requests.add({
      isAnswer: (answer): answer is AnswerTo<Type> => answer.type === type,
      deadline: { clock: this.#options.clock, ms: deadlineMs },
    });
    this.#post({ type: "request", id: pending.id, request: { type } });
    return pending;
  }

  // ── Reports ────────────────────────────────────────────────────────────────────────────────────

  #onMessage(message: unknown, ports: readonly MessagePort[]): void {
    if (this.#isOver) return;
    if (!this.#isUp) {
      this.#isUp = true;
      // A worker that loads its packages does not hang.
      this.#heartbeat?.request.restartDeadline(this.#heartbeat.hangMs);
    }
    for (const port of ports) port.close();
    const checked = checkReport(message);
    if (!checked.ok) return this.#onMisbehaviour(checked.flaw);
    if (ports.length > 0) return this.#onMisbehaviour("message: ports");
    if (!this.#onReport(checked.report)) this.#onMisbehaviour(`${kindOf(message)}: out of turn`);
  }

  /** Nothing is believed any more of a worker that sends what cannot be. */
  #onMisbehaviour(flaw: string): void {
    this.giveUp("misbehaved", flaw);
  }

  /** @returns false when it makes no sense at this moment */
  #onReport(report: Report): boolean {
    switch (report.type) {
      case "event":
        return this.#onEvent(report);
      case "request":
        return this.#onRequest(report);
      case "answer":
        return this.#requests.settle(report.id, report.answer) !== "unexpected";
      case "gone": {
        const carried = this.#sockets.get(report.socket);
        if (!carried?.sequence.allows(report)) return false;
        this.#sockets.delete(report.socket);
        carried.gone.resolve({ unlinked: report.unlinked });
        return true;
      }
      case "fault":
        this.#options.onFault(report.name);
        return true;
      default:
        return report satisfies never;
    }
  }

  #onEvent({ socket, event, at, now }: ReportOf<"event">): boolean {
    const carried = this.#sockets.get(socket);
    if (!carried?.sequence.allows(event) || at > now || !this.#time.hear(now)) return false;
    if (carried.listener === null) return true; // the socket is over
    if (event.type === "qr" || event.type === "connected") this.#unanswered = 0;
    if (carried.isUnansweredBy(event)) this.#unanswered++;
    carried.pass(event, this.#time.of(at, now));
    return true;
  }

  /**
   * Answers a socket's request whenever its listener does, without a deadline: what is not stored is not
   * acknowledged. In the worker the socket's end ends its requests.
   */
  #onRequest({ socket, id, request }: ReportOf<"request">): boolean {
    const carried = this.#sockets.get(socket);
    if (!carried?.sequence.allows(request) || id <= this.#lastRequest) return false;
    this.#lastRequest = id;
    const answer = (values: ReadonlyMap<string, string> | null) => this.#post({ type: "answer", id, values });
    const { listener, sequence } = carried;
    if (listener === null) {
      answer(null); // the socket is over, and nothing may wait in the worker for ever
      return true;
    }
    listener.onRequest(request).then((values) => {
      if (request.type === "paired") sequence.markStored();
      answer(values);
    }, () => answer(null));
    return true;
  }

  #onHeartbeat({ memoryBytes, now, heard }: Heartbeat): boolean {
    if (!this.#time.hear(now)) return false;
    this.#memoryBytes = memoryBytes;
    for (const [socket, at] of heard) {
      const carried = this.#sockets.get(socket);
      if (carried === undefined || at > now) return false;
      if (carried.listener !== null) carried.heardAt = this.#time.of(at, now);
    }
    return true;
  }
}
