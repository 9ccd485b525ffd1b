/**
 * The workers that carry the sockets. Sockets are spread over them; a worker that crashes, hangs or grows
 * too large takes only its own sockets down, and is replaced.
 * @module
 */
import { backoff } from "../domain/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Purpose, Socket, SocketLayer, SocketListener } from "../sessions/ports/sockets.ts";
import type { SocketId, SocketSettings } from "./protocol.ts";
import { type WorkerEnd, WorkerHandle } from "./worker_handle.ts";

/** How workers are watched, in milliseconds and bytes. */
export interface WatchOptions {
  /** How often each worker is asked for a heartbeat. */
  readonly heartbeatMs: number;
  /** A worker whose heartbeat takes so long hangs. */
  readonly hangMs: number;
  /**
   * The same for a worker that has not sent anything yet: it is still loading its packages, and one that is replaced
   * for that has to begin again.
   */
  readonly startMs: number;
  /**
   * How long the thread of a worker that was given up is waited for, so that no login of its sessions meets
   * a connection of its own. One that never yields cannot be ended, and its sessions cannot wait for ever.
   */
  readonly unendedMs: number;
  /** A worker that takes more memory is replaced before it takes the process down. */
  readonly memoryLimitBytes: number;
  /** So many sockets in a row that WhatsApp left unanswered, and the next ones get another worker. */
  readonly unansweredLimit: number;
}

/** What the pool is made of, and whom it tells of workers that are lost. */
export interface WorkerPoolOptions {
  /** How many workers; at least 1. */
  readonly size: number;
  readonly settings: SocketSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly watch?: Partial<WatchOptions>;
  /** What a worker runs; the product's own unless a test puts another in its place. */
  readonly script?: URL;
}

const WATCH: WatchOptions = {
  heartbeatMs: 5_000,
  hangMs: 15_000,
  startMs: 60_000,
  unendedMs: 15_000,
  memoryLimitBytes: 1_024 * 2 ** 20,
  unansweredLimit: 5,
};

/** A worker that lasted less than this has failed to start, and the next one is not started immediately. */
const SHORT_LIFE_MS = 10_000;
const RESTART = { baseMs: 500, quickMs: 30_000, capMs: 30_000 };

/** A place for a worker; empty between a worker that failed to start and its successor. */
interface Slot {
  worker: WorkerHandle | null;
  failures: number;
  cancelRestart: (() => void) | null;
}

/** The socket layer of the product: opens each socket on one of its workers. */
export class WorkerPool implements SocketLayer {
  readonly #options: WorkerPoolOptions;
  readonly #watch: WatchOptions;
  readonly #slots: Slot[] = [];
  /** Workers that get no new sockets, retired or given up, until the last connection of theirs is down. */
  readonly #leaving = new Set<WorkerHandle>();
  #nextSocket: SocketId = 1;
  #cancelHeartbeat: (() => void) | null = null;
  #restarts = 0;
  #stopped = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#watch = { ...WATCH, ...options.watch };
  }

  /** Starts the workers. Sockets may be opened immediately; they wait in their worker's queue. */
  start(): void {
    for (let i = 0; i < this.#options.size; i++) {
      const slot: Slot = { worker: null, failures: 0, cancelRestart: null };
      this.#slots.push(slot);
      this.#fill(slot);
    }
    this.#scheduleHeartbeat();
  }

  /** How many sockets each worker carries. */
  get load(): readonly number[] {
    return this.#slots.map(({ worker }) => worker?.size ?? 0);
  }

  /** How much memory each worker took at its last heartbeat, in bytes. */
  get memory(): readonly number[] {
    return this.#slots.map(({ worker }) => worker?.memoryBytes ?? 0);
  }

  /** How many workers are running: fewer than there are places while one that failed to start is waited for. */
  get running(): number {
    return this.#slots.filter(({ worker }) => worker !== null).length;
  }

  /** Whether there is a worker to carry the next socket. */
  get isManned(): boolean {
    return this.running > 0;
  }

  /** How many workers have been replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  open(purpose: Purpose, listener: SocketListener): Socket {
    const worker = this.#leastLoaded();
    const socket = this.#nextSocket++;
    if (worker === null) {
      // An end like any other, so that the session waits and tries again.
      queueMicrotask(() =>
        listener.onEvent({ type: "closed", cause: { origin: "worker" } }, this.#options.clock.steady())
      );
      return { heardAt: null, gone: Promise.resolve({ unlinked: false }), close: () => {} };
    }
    const gone = worker.open(socket, purpose, listener);
    return {
      gone,
      get heardAt() {
        return worker.heardAt(socket);
      },
      close: ({ unlink }) => worker.close(socket, unlink),
    };
  }

  /** Closes every socket without unlinking, and ends every worker. No listener is called any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelHeartbeat?.();
    const workers = this.#slots.flatMap(({ worker, cancelRestart }) => {
      cancelRestart?.();
      return worker ?? [];
    });
    await Promise.all([...workers, ...this.#leaving].map((worker) => worker.stop()));
  }

  #leastLoaded(): WorkerHandle | null {
    let least: WorkerHandle | null = null;
    for (const { worker } of this.#slots) {
      if (worker !== null && (least === null || worker.size < least.size)) least = worker;
    }
    return least;
  }

  #fill(slot: Slot): void {
    const { clock, settings, script = new URL("./worker/main.ts", import.meta.url) } = this.#options;
    slot.cancelRestart = null;
    const worker: WorkerHandle = new WorkerHandle({
      script,
      settings,
      clock,
      unendedMs: this.#watch.unendedMs,
      onEnd: (end, detail) => this.#onEnd(slot, worker, end, detail),
      onFault: (name) => this.#options.log.warn({ event: "worker_fault", name }),
      onUnended: () => this.#options.log.error({ event: "worker_unended", sockets: worker.size }),
    });
    slot.worker = worker;
  }

  #onEnd(slot: Slot, lost: WorkerHandle, end: WorkerEnd, detail: string): void {
    const { clock, log } = this.#options;
    log.error({ event: "worker_lost", end, detail, sockets: lost.size });
    this.#restarts++;
    if (this.#stopped) return;
    this.#leaving.add(lost);
    if (slot.worker !== lost) return;
    const isShort = clock.steady() - lost.startedAt < SHORT_LIFE_MS;
    slot.failures = isShort ? slot.failures + 1 : 0;
    if (slot.failures <= 1) return this.#fill(slot);
    slot.worker = null;
    const waitMs = backoff(slot.failures, 0, clock.random(), RESTART);
    slot.cancelRestart = clock.after(waitMs, () => this.#fill(slot));
  }

  // ── Watching ───────────────────────────────────────────────────────────────────────────────────

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat = this.#options.clock.after(this.#watch.heartbeatMs, () => {
      this.#scheduleHeartbeat();
      this.#lookAfterAll();
    });
  }

  #lookAfterAll(): void {
    const { unansweredLimit } = this.#watch;
    for (const slot of this.#slots) {
      const { worker } = slot;
      if (worker === null) continue;
      if (worker.unanswered >= unansweredLimit) this.#retire(slot, worker);
      worker.checkHeartbeat(this.#watch);
    }
    for (const worker of this.#leaving) {
      if (worker.size > 0) {
        worker.checkHeartbeat(this.#watch);
        continue;
      }
      this.#leaving.delete(worker);
      void worker.stop();
    }
  }

  /** New sockets were not enough: the next ones get a new worker, the old one keeps what it still carries. */
  #retire(slot: Slot, worker: WorkerHandle): void {
    this.#options.log.warn({ event: "worker_retired", unanswered: worker.unanswered, sockets: worker.size });
    this.#restarts++;
    this.#leaving.add(worker);
    this.#fill(slot);
  }
}
