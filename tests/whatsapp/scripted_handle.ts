/**
 * A worker handle whose worker sends what a test tells it to send.
 * @module
 */
import type { Clock } from "../../runtime/clock.ts";
import { systemClock } from "../../runtime/clock.ts";
import type {
  ClosedConnection,
  Purpose,
  SocketEvent,
  SocketListener,
  SocketRequest,
} from "../../sessions/ports/sockets.ts";
import { WorkerHandle } from "../../whatsapp/worker_handle.ts";

/** The channel over which a scripted worker is told what to send. */
export const SCRIPT_CHANNEL = "scripted worker";
/** Has the worker send a port of its own. */
export const TRANSFERRED = "a port";
/** Has the worker leave `close` and `stop` unanswered from now on. */
export const MUTED = "muted";
/** Has it answer them again. */
export const UNMUTED = "unmuted";

/** A socket of a scripted worker, and what its listener was called with. */
export interface ScriptedSocket {
  readonly heard: (SocketEvent | SocketRequest)[];
  /** When the events happened, by the main thread's steady clock. */
  readonly times: number[];
  readonly gone: Promise<ClosedConnection>;
}

/** Kept for all: opening one while another of its name closes goes wrong in the runtime. */
const channel = new BroadcastChannel(SCRIPT_CHANNEL);

const NOTHING_FOUND = () => Promise.resolve(new Map<string, string>());

/** A worker handle, real but for the worker's script. */
export class ScriptedHandle implements AsyncDisposable {
  readonly worker: WorkerHandle;
  /** Why the worker was given up, and how often. */
  readonly ends: { end: string; detail: string }[] = [];
  /** The names of the faults that the worker has reported. */
  readonly faults: string[] = [];
  readonly ended: Promise<string>;
  readonly #ready = Promise.withResolvers<void>();
  #onFault: ((name: string) => void) | null = null;

  private constructor(clock: Clock) {
    const ended = Promise.withResolvers<string>();
    this.ended = ended.promise;
    this.worker = new WorkerHandle({
      script: new URL("./scripted_worker.ts", import.meta.url),
      settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
      clock,
      unendedMs: 5_000,
      onUnended: () => {},
      onEnd: (end, detail) => {
        this.ends.push({ end, detail });
        ended.resolve(end);
      },
      onFault: (name) => {
        if (name === "ready") return this.#ready.resolve();
        this.faults.push(name);
        this.#onFault?.(name);
      },
    });
  }

  static async open(clock: Clock = systemClock): Promise<ScriptedHandle> {
    const handle = new ScriptedHandle(clock);
    await handle.#ready.promise;
    return handle;
  }

  /** @param onRequest answers the socket's requests */
  socket(
    id: number,
    kind: Purpose["kind"],
    onRequest: SocketListener["onRequest"] = NOTHING_FOUND,
  ): ScriptedSocket {
    const heard: ScriptedSocket["heard"] = [];
    const times: number[] = [];
    const listener: SocketListener = {
      onEvent: (event, at) => {
        heard.push(event);
        times.push(at);
      },
      onRequest: (request) => {
        heard.push(request);
        return onRequest(request);
      },
    };
    const purpose: Purpose = kind === "pair" ? { kind } : { kind, credentials: "{}" };
    return { heard, times, gone: this.worker.open(id, purpose, listener) };
  }

  /** Has the worker send this. */
  send(message: unknown): void {
    channel.postMessage(message);
  }

  /**
   * Has the worker send all of it, and waits until that is received or the worker has been given up.
   * @returns whether it was given up
   */
  async receive(...messages: unknown[]): Promise<boolean> {
    for (const message of messages) this.send(message);
    const received = this.fault("received");
    this.send({ type: "fault", name: "received" });
    await Promise.race([received, this.ended]);
    return this.ends.length > 0;
  }

  /** Resolves when the worker reports a fault of this name. */
  fault(name: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onFault = (reported) => reported === name && resolve();
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.worker.stop();
  }
}
