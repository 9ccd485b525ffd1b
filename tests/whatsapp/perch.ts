/**
 * The main thread's side of a worker that says what it is told to say.
 * @module
 */
import { systemClock } from "../../runtime/clock.ts";
import type { Purpose } from "../../sessions/ports/sockets.ts";
import type { Departure, SocketListener } from "../../sessions/ports/sockets.ts";
import { SocketWorker } from "../../whatsapp/worker_handle.ts";

/** The channel over which a parrot is told what to say. */
export const PERCH = "perch";
/** Has the parrot send a port of its own. */
export const TRANSFERRED = "a port";

/** A socket of a parrot, and what was heard of it. */
export interface Perched {
  /** Names of what was told, and what was told with it. */
  readonly heard: [string, ...unknown[]][];
  readonly gone: Promise<Departure>;
}

/** Kept for all: opening one while another of its name closes goes wrong in the runtime. */
const channel = new BroadcastChannel(PERCH);

/** A worker, real but for its script. */
export class Perch implements AsyncDisposable {
  readonly worker: SocketWorker;
  /** Why it was given up, and how often. */
  readonly ends: { end: string; detail: string }[] = [];
  readonly ended: Promise<string>;
  readonly #ready = Promise.withResolvers<void>();
  #onName: ((name: string) => void) | null = null;

  private constructor() {
    const ended = Promise.withResolvers<string>();
    this.ended = ended.promise;
    this.worker = new SocketWorker({
      script: new URL("./parrot.ts", import.meta.url),
      settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
      clock: systemClock,
      unendedMs: 5_000,
      onUnended: () => {},
      onEnd: (end, detail) => {
        this.ends.push({ end, detail });
        ended.resolve(end);
      },
      onFault: (name) => {
        if (name === "ready") this.#ready.resolve();
        else this.#onName?.(name);
      },
    });
  }

  static async open(): Promise<Perch> {
    const perch = new Perch();
    await perch.#ready.promise;
    return perch;
  }

  socket(id: number, kind: Purpose["kind"], answers: Partial<SocketListener> = {}): Perched {
    const heard: Perched["heard"] = [];
    const hear = (name: string) => (...told: unknown[]) => void heard.push([name, ...told]);
    const listener: SocketListener = {
      qr: hear("qr"),
      paired: (...told) => Promise.resolve(hear("paired")(...told)),
      passkeyDemanded: hear("passkey_demanded"),
      identified: hear("identified"),
      connected: hear("connected"),
      closed: hear("closed"),
      load: (...told) => {
        hear("load")(...told);
        return Promise.resolve(new Map());
      },
      save: (...told) => Promise.resolve(hear("save")(...told)),
      ...answers,
    };
    const purpose: Purpose = kind === "pair" ? { kind } : { kind, credentials: "{}" };
    return { heard, gone: this.worker.open(id, purpose, listener) };
  }

  /** Has the worker say this. */
  say(message: unknown): void {
    channel.postMessage(message);
  }

  /**
   * Has the worker say all of it, and waits until it is heard or the worker has been given up.
   * @returns whether it was given up
   */
  async hear(...messages: unknown[]): Promise<boolean> {
    const heard = Promise.withResolvers<void>();
    this.#onName = (name) => name === "heard" && heard.resolve();
    for (const message of messages) this.say(message);
    this.say({ type: "fault", name: "heard" });
    await Promise.race([heard.promise, this.ended]);
    return this.ends.length > 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.worker.stop();
  }
}
