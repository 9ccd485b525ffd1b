/**
 * Real sockets in a real worker against a WhatsApp server, and a test in the place of supervision.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { KeyWrite } from "../../domain/credentials.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { LogFields } from "../../runtime/log.ts";
import type { ClosedConnection, Purpose, Socket } from "../../sessions/ports/sockets.ts";
import type { SocketSettings } from "../../whatsapp/protocol.ts";
import { WorkerPool, type WorkerPoolOptions } from "../../whatsapp/worker_pool.ts";
import { type Gateway, type GatewayOptions, type Phone, startGateway } from "../../lab/simulator/mod.ts";

/** Where a login is kept, as far as a socket needs it. */
export class Vault {
  credentials = "";
  readonly keys = new Map<string, string>();

  write(keys: readonly KeyWrite[], credentials?: string): void {
    if (credentials !== undefined) this.credentials = credentials;
    for (const { type, id, value } of keys) {
      if (value === null) this.keys.delete(`${type}/${id}`);
      else this.keys.set(`${type}/${id}`, value);
    }
  }

  read(keyType: string, ids: readonly string[]): Map<string, string> {
    const found = ids.map((id) => [id, this.keys.get(`${keyType}/${id}`)] as const);
    return new Map(found.filter((pair): pair is [string, string] => pair[1] !== undefined));
  }
}

/** A socket, and everything that it has told and asked. */
export class Opened {
  readonly socket: Socket;
  /** The types of its events and requests, in their order. */
  readonly told: string[] = [];
  readonly qr: Promise<string>;
  readonly connected: Promise<string>;
  readonly closed: Promise<DisconnectCause>;
  /** Settles when the pairing is asked about. */
  readonly paired: Promise<void>;

  /** @param keep answers when the new login is told */
  constructor(pool: WorkerPool, purpose: Purpose, vault: Vault, keep: () => Promise<void>) {
    const qr = Promise.withResolvers<string>();
    const connected = Promise.withResolvers<string>();
    const closed = Promise.withResolvers<DisconnectCause>();
    const paired = Promise.withResolvers<void>();
    [this.qr, this.connected, this.closed, this.paired] = [
      qr.promise,
      connected.promise,
      closed.promise,
      paired.promise,
    ];
    this.socket = pool.open(purpose, {
      onEvent: (event) => {
        this.told.push(event.type);
        if (event.type === "qr") qr.resolve(event.string);
        if (event.type === "connected") connected.resolve(event.jid);
        if (event.type === "closed") closed.resolve(event.cause);
      },
      onRequest: async (request) => {
        this.told.push(request.type);
        if (request.type === "load_keys") return vault.read(request.keyType, request.ids);
        if (request.type === "paired") {
          paired.resolve();
          await keep();
        }
        vault.write(request.keys, request.credentials);
        return new Map();
      },
    });
  }

  get gone(): Promise<ClosedConnection> {
    return this.socket.gone;
  }
}

export interface WorkshopOptions {
  readonly gateway?: GatewayOptions;
  readonly settings?: Partial<SocketSettings>;
  readonly pool?: Partial<Pick<WorkerPoolOptions, "script" | "watch" | "size">>;
}

export class Workshop implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly pool: WorkerPool;
  /** What the pool has logged. */
  readonly lines: LogFields[] = [];
  readonly #awaited = new Map<string, (fields: LogFields) => void>();

  private constructor(gateway: Gateway, options: WorkshopOptions) {
    this.gateway = gateway;
    const note = (fields: LogFields) => {
      this.lines.push(fields);
      this.#awaited.get(fields.event)?.(fields);
    };
    this.pool = new WorkerPool({
      size: 1,
      settings: {
        url: gateway.url,
        rootKey: gateway.rootKey,
        keepAliveMs: 15_000,
        connectMs: 20_000,
        silenceMs: 35_000,
        ...options.settings,
      },
      clock: systemClock,
      log: { debug: note, info: note, warn: note, error: note },
      ...options.pool,
    });
    this.pool.start();
  }

  static async open(options: WorkshopOptions = {}): Promise<Workshop> {
    return new Workshop(await startGateway({ newDevicePreKeys: 1, ...options.gateway }), options);
  }

  openSocket(
    purpose: Purpose,
    vault = new Vault(),
    keep: () => Promise<void> = () => Promise.resolve(),
  ): Opened {
    return new Opened(this.pool, purpose, vault, keep);
  }

  /** The next line of this event. */
  line(event: string): Promise<LogFields> {
    const { promise, resolve } = Promise.withResolvers<LogFields>();
    this.#awaited.set(event, resolve);
    return promise;
  }

  /** Pairs a login, and sees its pairing socket off. */
  async pair(phone: Phone = this.gateway.phone()): Promise<Vault> {
    const vault = new Vault();
    const opened = this.openSocket({ kind: "pair" }, vault);
    const { outcome } = await phone.scan(await opened.qr);
    if (outcome !== "paired") throw new Error(`The scan ended with ${outcome}.`);
    await opened.gone;
    return vault;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.stop();
    await this.gateway.stop();
  }
}
