/**
 * The whole product in this process, as drills start it: the real service behind real HTTP, real workers, real
 * Baileys sockets, a database of the drill's own. Its log goes to whoever listens and is not kept.
 * @module
 */
import { parseConfig } from "../../config.ts";
import type { Policy } from "../../domain/snapshot.ts";
import { type Service, type ServiceOptions, startService } from "../../service.ts";
import type { LogFields } from "../../runtime/log.ts";
import type { SocketSettings } from "../../whatsapp/protocol.ts";
import { Hub } from "../hub.ts";

/** The WhatsApp server that the product is to use. */
export interface Peer {
  readonly url: string;
  readonly rootKey: string;
}

export interface StageOptions {
  readonly peer: Peer;
  /** `DATABASE_URL`, and what belongs to it. */
  readonly database: Readonly<Record<string, string>>;
  readonly workers?: number;
  readonly qrWaitMs?: number;
  readonly policy?: Partial<Policy>;
  readonly socketSettings?: Partial<SocketSettings>;
  readonly supervision?: Pick<ServiceOptions, "clock" | "logins" | "unlinker" | "watch" | "workerScript">;
  /** Hears every line of the log. */
  readonly onLine?: (fields: LogFields) => void;
}

/** A drill asks more than any Hub may; what it asks is answered all the same. */
const UNLIMITED = { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0" };

/** A running product. */
export class Stage implements AsyncDisposable {
  readonly service: Service;
  readonly hub: Hub;
  readonly origin: string;
  readonly #server: Deno.HttpServer;
  #stopped: Promise<void> | null = null;

  private constructor(service: Service) {
    this.service = service;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, service.fetch);
    this.origin = `http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`;
    this.hub = new Hub(this.origin);
  }

  static async start(options: StageOptions): Promise<Stage> {
    const config = parseConfig({
      ...options.database,
      WHATSAPP_WS_URL: options.peer.url,
      WHATSAPP_ROOT_KEY: options.peer.rootKey,
      SOCKET_WORKERS: String(options.workers ?? 1),
      ...UNLIMITED,
      ...(options.qrWaitMs === undefined ? {} : { QR_WAIT_MS: String(options.qrWaitMs) }),
    }, navigator.hardwareConcurrency);
    const write = (fields: LogFields) => options.onLine?.(fields);
    const service = await startService({
      config,
      log: { debug: write, info: write, warn: write, error: write },
      ...(options.policy ? { policy: options.policy } : {}),
      ...(options.socketSettings ? { socketSettings: options.socketSettings } : {}),
      ...options.supervision,
    });
    return new Stage(service);
  }

  /** Stops the service; its database is left as it is. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const drained = this.#server.shutdown();
    await this.service.stop();
    await drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Calls `work` for each item, so many at a time. */
export async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (const item of rest) await work(item);
  }));
}

/**
 * Asks again and again until it is so.
 * @throws {Error} when it is not so after `patienceMs`; `what` says what was waited for
 */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  patienceMs: number,
  what: string,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`Waited ${patienceMs} ms in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Looks again and again. @returns whether it came to be in time */
export async function within(ms: number, look: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + ms;
  for (;;) {
    if (await look()) return true;
    if (performance.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
