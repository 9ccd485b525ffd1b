import { Buffer } from "node:buffer";
import {
  type AuthenticationCreds,
  type ConnectionState,
  initAuthCreds,
  makeWASocket,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type UserFacingSocketConfig,
  WA_CERT_DETAILS,
  type WASocket,
} from "@whiskeysockets/baileys";
import { pino } from "pino";
import type { Gateway } from "./mod.ts";

type Update = Partial<ConnectionState>;

const silentLogger = pino({ level: "silent" });
const UPDATE_TIMEOUT_MS = 300_000;

/** Makes Baileys trust a gateway's root until disposed. */
export function trustRoot(gateway: Pick<Gateway, "rootKey">): Disposable {
  const before = WA_CERT_DETAILS.PUBLIC_KEY;
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(gateway.rootKey, "hex");
  return { [Symbol.dispose]: () => void (WA_CERT_DETAILS.PUBLIC_KEY = before) };
}

/** An unmodified Baileys with its keys in memory, one socket at a time. */
export class BaileysClient implements AsyncDisposable {
  readonly creds: AuthenticationCreds = initAuthCreds();
  readonly #keys = memoryKeys();
  readonly #url: string;
  readonly #options: Partial<UserFacingSocketConfig>;
  readonly #sockets: BaileysSocket[] = [];

  constructor(gateway: Pick<Gateway, "url">, options: Partial<UserFacingSocketConfig> = {}) {
    this.#url = gateway.url;
    this.#options = options;
  }

  /** Opens a socket with the credentials as they are now. */
  connect(): BaileysSocket {
    const socket = new BaileysSocket(makeWASocket({
      auth: { creds: this.creds, keys: this.#keys },
      waWebSocketUrl: this.#url,
      logger: silentLogger,
      ...this.#options,
    }));
    socket.wa.ev.on("creds.update", (update) => void Object.assign(this.creds, update));
    this.#sockets.push(socket);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.end()));
  }
}

/** One Baileys socket, whose updates can be waited for. */
export class BaileysSocket {
  readonly wa: WASocket;
  /** Every connection update so far. */
  readonly updates: Update[] = [];
  readonly #watchers = new Set<(update: Update) => void>();

  constructor(wa: WASocket) {
    this.wa = wa;
    wa.ev.on("connection.update", (update) => {
      this.updates.push(update);
      for (const watcher of this.#watchers) watcher(update);
    });
  }

  /** The QR texts shown so far. */
  get qrs(): string[] {
    return this.updates.flatMap(({ qr }) => qr ?? []);
  }

  /** The next QR text, or the nth since the socket began. */
  async qr(nth = 1): Promise<string> {
    await this.#until(() => this.qrs.length >= nth, `QR ${nth}`);
    return this.qrs[nth - 1]!;
  }

  async open(): Promise<void> {
    await this.#until(() => this.updates.some(({ connection }) => connection === "open"), "open");
  }

  /** Waits for the end and returns its status code. */
  async closed(): Promise<number | undefined> {
    const ending = () => this.updates.find(({ connection }) => connection === "close");
    await this.#until(() => ending() !== undefined, "close");
    const error = ending()!.lastDisconnect?.error as { output?: { statusCode?: number } } | undefined;
    return error?.output?.statusCode;
  }

  async end(): Promise<void> {
    if (this.updates.some(({ connection }) => connection === "close")) return;
    const closed = this.closed();
    this.wa.end(undefined);
    await closed;
  }

  #until(isDone: () => boolean, what: string): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const release = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
      };
      const watcher = () => {
        if (!isDone()) return;
        release();
        resolve();
      };
      const timer = setTimeout(() => {
        release();
        reject(
          new Error(`no ${what} within ${UPDATE_TIMEOUT_MS} ms; updates: ${JSON.stringify(this.updates)}`),
        );
      }, UPDATE_TIMEOUT_MS);
      this.#watchers.add(watcher);
    });
  }
}

/** Pairs a client from its first QR's text and returns the socket with which it came back and opened. */
export async function pairAndOpen(
  gateway: Gateway,
  client: BaileysClient,
  number?: string,
): Promise<BaileysSocket> {
  const pairing = client.connect();
  const result = await gateway.phone(number).scanText(await pairing.qr());
  if (result.outcome !== "paired") throw new Error(`the scan came to nothing: ${result.outcome}`);
  await pairing.closed();
  const socket = client.connect();
  await socket.open();
  return socket;
}

function memoryKeys(): SignalKeyStore {
  const store = new Map<string, unknown>();
  return {
    get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const found: Record<string, SignalDataTypeMap[T]> = {};
      for (const id of ids) {
        const value = store.get(`${type}/${id}`);
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T];
      }
      return found;
    },
    set(data: SignalDataSet) {
      for (const [type, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values ?? {})) {
          if (value === null) store.delete(`${type}/${id}`);
          else store.set(`${type}/${id}`, value);
        }
      }
    },
  };
}
