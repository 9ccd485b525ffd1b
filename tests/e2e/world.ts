/**
 * The whole product against a WhatsApp server: real HTTP, real workers, real Baileys sockets, a real
 * database. Tests wait for what happens, never for time.
 * @module
 */
import { type Config, parseConfig } from "../../config.ts";
import type { Policy } from "../../domain/life.ts";
import type { SessionView } from "../../domain/view.ts";
import { type Service, startService } from "../../service.ts";
import type { Log, LogFields } from "../../whatsapp/log.ts";
import type { SocketSettings } from "../../whatsapp/protocol.ts";
import { type Gateway, type Phone, startGateway } from "../gateway/mod.ts";
import { Hub } from "./hub.ts";

/** How long a test waits for something that has to happen, in milliseconds, before it fails. */
const PATIENCE_MS = 20_000;

/** Bounds under which a test need not wait for minutes; what they bound is the same. */
export const BRISK: Partial<Policy> = { backoff: { baseMs: 20, capMs: 200 }, stableMs: 200 };

export interface WorldOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly policy?: Partial<Policy>;
  readonly socketSettings?: Partial<SocketSettings>;
  /** A gateway of the test's own; it is then not stopped with this world. */
  readonly gateway?: Gateway;
  /** A database to start on, kept afterwards. */
  readonly databaseUrl?: string;
}

export class World implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly service: Service;
  readonly hub: Hub;
  readonly config: Config;
  /** Every line that was logged. */
  readonly log: readonly LogFields[];
  readonly origin: string;
  readonly #server: Deno.HttpServer;
  readonly #cleanUp: () => Promise<void>;

  private constructor(
    parts: {
      gateway: Gateway;
      service: Service;
      config: Config;
      log: LogFields[];
      cleanUp: () => Promise<void>;
    },
  ) {
    this.gateway = parts.gateway;
    this.service = parts.service;
    this.config = parts.config;
    this.log = parts.log;
    this.#cleanUp = parts.cleanUp;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, parts.service.fetch);
    this.origin = `http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`;
    this.hub = new Hub(this.origin, parts.config.hubKeys[0]);
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const gateway = options.gateway ?? await startGateway();
    const folder = options.databaseUrl === undefined ? await Deno.makeTempDir() : null;
    const config = parseConfig({
      DATABASE_URL: options.databaseUrl ?? `sqlite:${folder}/sessions.db`,
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
      ...options.environment,
    }, 2);
    const log: LogFields[] = [];
    const service = await startService({
      config,
      log: recorder(log),
      policy: { ...BRISK, ...options.policy },
      ...(options.socketSettings ? { socketSettings: options.socketSettings } : {}),
    });
    const cleanUp = async () => {
      if (options.gateway === undefined) await gateway.stop();
      if (folder !== null) await Deno.remove(folder, { recursive: true });
    };
    return new World({ gateway, service, config, log, cleanUp });
  }

  /** The session, as soon as the front door tells it as `isThere` wants it. */
  until(instanceId: string, isThere: (session: SessionView) => boolean): Promise<SessionView> {
    const { promise, resolve, reject } = Promise.withResolvers<SessionView>();
    let last: unknown;
    const look = async () => {
      const { status, body } = await this.hub.get(instanceId);
      last = body;
      if (status === 200 && isThere(body as SessionView)) resolve(body as SessionView);
    };
    const unsubscribe = this.service.sessions.onChange(({ after }) => {
      if (after.session.instanceId === instanceId) look().catch(reject);
    });
    const timer = setTimeout(
      () => reject(new Error(`${instanceId} did not get there; last seen: ${JSON.stringify(last)}`)),
      PATIENCE_MS,
    );
    look().catch(reject);
    return promise.finally(() => {
      clearTimeout(timer);
      unsubscribe();
    });
  }

  untilStatus(instanceId: string, status: SessionView["status"]): Promise<SessionView> {
    return this.until(instanceId, (session) => session.status === status);
  }

  /** Links a session as a person would: asks for the QR, scans it with a phone, waits for `connected`. */
  async link(instanceId: string, phone: Phone = this.gateway.phone()): Promise<Phone> {
    const { qr_string } = await this.hub.qr(instanceId);
    const { outcome } = await phone.scan(qr_string);
    if (outcome !== "paired") throw new Error(`The scan ended with ${outcome}.`);
    await this.untilStatus(instanceId, "connected");
    return phone;
  }

  /** Stops the service, and nothing else: what another world starts with is what it left behind. */
  async stopService(): Promise<void> {
    const drained = this.#server.shutdown();
    await this.service.stop();
    await drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopService();
    await this.#cleanUp();
  }
}

function recorder(lines: LogFields[]): Log {
  const record = (fields: LogFields) => void lines.push(fields);
  return { debug: record, info: record, warn: record, error: record };
}

/** A test that leaves nothing behind: no socket, no timer, no worker. */
export function scenario(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}
