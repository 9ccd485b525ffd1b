/**
 * One Baileys socket, from opening to its end, told to the main thread in the domain's words.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { KeyWrite } from "../../domain/credentials.ts";
import type { Purpose } from "../../sessions/ports/sockets.ts";
import type { SocketSettings } from "../protocol.ts";
import type { Departure } from "../../sessions/ports/sockets.ts";
import {
  type AuthenticationCreds,
  type BinaryNode,
  initAuthCreds,
  makeWASocket,
  S_WHATSAPP_NET,
  silentLogger,
  type WASocket,
} from "./baileys.ts";
import { causeOf, deniesDevice, type LastSign, socketErrorSign, streamErrorSign } from "./cause.ts";
import { decodeCredentials, encodeCredentials } from "./codec.ts";
import { forTheLiving, NascentKeys, type Vault, vaultKeyStore } from "./key_store.ts";
import { renderQr } from "./qr_image.ts";
import { askToUnlink, type UnlinkAnswer } from "./unlinking.ts";
import { type RawWire, Wire } from "./wire.ts";

/** What a socket tells. `closed` is its last report, and always comes unless it was told to close. */
export interface SocketListener {
  /** @param generatedAt by this thread's monotonic time */
  qr(string: string, ordinal: number, generatedAt: number): void;
  /** Resolves once the new login is durable; rejects when it is not kept. */
  paired(credentials: string, keys: readonly KeyWrite[]): Promise<void>;
  passkeyDemanded(): void;
  identified(jid: string): void;
  connected(jid: string): void;
  closed(cause: DisconnectCause): void;
}

/** Where a socket's login is kept; credentials and keys that belong together travel together. */
export interface LoginVault extends Vault {
  save(keys: readonly KeyWrite[], credentials?: string): Promise<void>;
}

/** How long an attempt to unlink may take, in milliseconds, where the settings say nothing else. */
const UNLINK_MS = { attempt: 20_000, closing: 5_000 };

/** How the socket ends by what WhatsApp made of the request to unlink. */
const UNLINK_ENDS: Readonly<Record<Exclude<UnlinkAnswer, "down">, DisconnectCause>> = {
  unlinked: { origin: "whatsapp", code: 401 },
  refused: { origin: "client", code: 0 },
  overdue: { origin: "client", code: 408 },
};
/** The longest interval that a timer can hold, 24 days, in milliseconds. */
const NEVER_MS = 2 ** 31 - 1;

export class BaileysSocket {
  readonly #listener: SocketListener;
  readonly #vault: LoginVault;
  readonly #unlinkMs: typeof UNLINK_MS;
  /** The keys of a login that nobody keeps: not yet, or no longer. */
  #nascent: NascentKeys | null;
  /** The new login is durable; rejects when it is not kept. Null before the phone has scanned. */
  #kept: Promise<void> | null = null;
  readonly #credentials: AuthenticationCreds;
  readonly #socket: WASocket;
  readonly #wire: Wire;
  readonly #loggedIn = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  /** Resolves once the socket is over and its connection is down. */
  readonly gone: Promise<Departure>;
  #isUnlinked = false;
  #sign: LastSign = null;
  #heardAt = performance.now();
  #qrs = 0;
  readonly #keepAliveMs: number;
  #pinging: ReturnType<typeof setInterval> | undefined;
  #unsavedCredentials = false;
  /** `over` once nothing more is told. */
  #stage: "pairing" | "paired" | "login" | "unlink" | "over";

  /** @throws {Error} when the credentials are no JSON, or name no device that could be unlinked */
  constructor(purpose: Purpose, settings: SocketSettings, vault: LoginVault, listener: SocketListener) {
    this.#listener = listener;
    this.#vault = vault;
    this.#keepAliveMs = settings.keepAliveMs;
    this.#unlinkMs = settings.unlinkMs ?? UNLINK_MS;
    this.#stage = purpose.kind === "pair" ? "pairing" : purpose.kind;
    this.#nascent = purpose.kind === "login" ? null : new NascentKeys();
    this.#credentials = purpose.kind === "pair" ? initAuthCreds() : decodeCredentials(purpose.credentials);
    if (purpose.kind === "unlink" && this.#credentials.me === undefined) throw new Error("No device.");
    this.#socket = makeWASocket({
      waWebSocketUrl: settings.url,
      auth: {
        creds: this.#credentials,
        keys: vaultKeyStore(forTheLiving(this.#keys(), () => this.#stage === "over")),
      },
      logger: silentLogger,
      connectTimeoutMs: settings.connectMs,
      keepAliveIntervalMs: NEVER_MS,
      // The number stays quiet: the phone keeps getting its notifications, and no history is fetched,
      // which a worker that reaches one host could not do anyway.
      markOnlineOnConnect: false,
      syncFullHistory: false,
      shouldSyncHistoryMessage: () => false,
      ...(settings.qrMs === undefined ? {} : { qrTimeout: settings.qrMs }),
      ...(settings.version === undefined ? {} : { version: [...settings.version] }),
    });
    this.#wire = new Wire((this.#socket.ws as unknown as { socket: RawWire }).socket);
    this.gone = this.#over.promise.then(async () => {
      await this.#wire.cutSoon();
      return { unlinked: this.#isUnlinked };
    });
    this.#listen();
    if (this.#credentials.me !== undefined) listener.identified(this.#credentials.me.id);
    if (purpose.kind === "unlink") void this.#unlinkAndClose();
  }

  /**
   * Ends the socket; nothing more is told of it. With `unlink`, WhatsApp is first asked to unlink this device, as
   * soon as the login lets it and for a few seconds at most. Resolves once it is gone.
   */
  async close(unlink: boolean): Promise<void> {
    if (this.#stage !== "over") {
      const asks = unlink && this.#stage === "login";
      this.#stage = "over";
      if (asks) await this.#unlink(this.#unlinkMs.closing);
      this.#end();
      try {
        await this.#socket.end(undefined);
      } catch {
        this.#wire.terminate();
      }
    }
    await this.gone;
  }

  /** When the socket last heard a word from WhatsApp, or was opened; this thread's monotonic time, in milliseconds. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /**
   * Gives the socket up when it has heard nothing for `silenceMs`, without waiting for a closing handshake that a
   * dead peer never answers.
   */
  endIfSilent(silenceMs: number): void {
    if (this.#stage === "over") return;
    if (performance.now() - this.#heardAt < silenceMs) return;
    this.#sign = { kind: "silence" };
    this.#cut();
  }

  #listen(): void {
    const { ev, ws } = this.#socket;
    const saysEnd = (sign: LastSign, node: BinaryNode) => {
      this.#sign = sign;
      if (this.#credentials.me !== undefined && deniesDevice(node)) this.#isUnlinked = true;
    };
    ws.on("CB:failure", (node: BinaryNode) => saysEnd({ kind: "whatsapp" }, node));
    ws.on("CB:stream:error", (node: BinaryNode) => saysEnd(streamErrorSign(node), node));
    // What Baileys does after a login, pre-keys and all, is for one that is going to be used.
    if (this.#stage === "unlink") ws.removeAllListeners("CB:success");
    ws.on("CB:success", () => this.#loggedIn.resolve());
    ws.on("frame", (frame: unknown) => {
      this.#heardAt = performance.now();
      // Before the handshake is over frames are bytes, and nothing but the handshake may be sent.
      if (!(frame instanceof Uint8Array)) {
        this.#pinging ??= setInterval(() => this.#ping(), this.#keepAliveMs);
      }
    });
    ws.on("CB:notification,type:passkey_prologue_request", () => {
      if (this.#stage === "pairing") this.#listener.passkeyDemanded();
    });
    ws.on("error", (error: unknown) => this.#sign ??= socketErrorSign(error));
    // Baileys listens for this event too, which keeps `ws` from ending the attempt, and then forgets it:
    // without this the attempt would hang until its handshake timeout.
    ws.on("unexpected-response", (request: { destroy(): void }, response: { statusCode?: number }) => {
      this.#sign = { kind: "refused_upgrade", status: response.statusCode ?? 0 };
      request.destroy();
      void this.#socket.end(new Error("The upgrade was refused."));
    });
    ev.on("creds.update", () => this.#onCredentials());
    ev.on("connection.update", (update) => {
      if (this.#stage === "over") return;
      if (update.qr !== undefined) this.#onQr(update.qr);
      if (update.isNewLogin === true) this.#onPaired();
      if (update.connection === "open") this.#listener.connected(this.#credentials.me?.id ?? "");
      if (update.connection === "close") this.#onClosed(update.lastDisconnect?.error);
    });
  }

  #onQr(text: string): void {
    if (this.#stage !== "pairing") return;
    const generatedAt = performance.now();
    const ordinal = this.#qrs++;
    renderQr(text).then((string) => {
      if (this.#stage === "pairing") this.#listener.qr(string, ordinal, generatedAt);
    });
  }

  #onClosed(error: unknown): void {
    if (this.#stage !== "over") this.#tellEnd(causeOf(this.#sign, error));
  }

  #tellEnd(cause: DisconnectCause): void {
    this.#end();
    // Baileys empties its caches when it begins to close, and may have filled them since.
    this.#socket.signalRepository.close?.();
    this.#listener.closed(cause);
  }

  /**
   * The keep-alive that Baileys would send. Its own comes with a look at the wall clock: once that has been set
   * forward, it takes every connection for lost.
   */
  #ping(): void {
    if (this.#stage === "over" || !this.#socket.ws.isOpen) return;
    const ping: BinaryNode = {
      tag: "iq",
      attrs: { to: S_WHATSAPP_NET, type: "get", xmlns: "w:p" },
      content: [{ tag: "ping", attrs: {} }],
    };
    // Whether it is answered is found out by the silence.
    this.#socket.query(ping).catch(() => {});
  }

  #end(): void {
    clearInterval(this.#pinging);
    this.#stage = "over";
    this.#wire.dropHeld();
    this.#over.resolve();
  }

  /** Ends the socket without the closing handshake. */
  #cut(): void {
    this.#wire.terminate();
    this.#onClosed(undefined);
    void this.#socket.end(undefined);
  }

  // ── Pairing ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Baileys tells of the pairing just before it signs it, in the same turn of the event loop. The signature is
   * what makes the device: until the login is durable it stays here, so that WhatsApp knows of no device that
   * nobody has the login of, whenever this process dies.
   */
  #onPaired(): void {
    if (this.#stage !== "pairing") return;
    this.#stage = "paired";
    this.#wire.hold();
    const credentials = encodeCredentials(this.#credentials);
    const told = this.#listener.paired(credentials, this.#nascent?.take() ?? []);
    this.#kept = told.then(() => this.#onKept(credentials));
    this.#kept.catch(() => this.#cut());
  }

  /** @param credentials as they were told */
  async #onKept(credentials: string): Promise<void> {
    if (this.#stage === "over") throw new Error("The socket is over.");
    const late = this.#nascent?.take() ?? [];
    this.#nascent = null;
    this.#unsavedCredentials = encodeCredentials(this.#credentials) !== credentials;
    if (late.length > 0 || this.#unsavedCredentials) await this.#save(late);
    this.#wire.release();
  }

  // ── Unlinking ──────────────────────────────────────────────────────────────────────────────────

  /** All that a socket for a retired login does. */
  async #unlinkAndClose(): Promise<void> {
    const answer = await this.#unlink(this.#unlinkMs.attempt);
    // An end that Baileys has seen is told as every other.
    if (this.#stage === "over" || answer === "down") return;
    this.#tellEnd(UNLINK_ENDS[answer]);
    await this.#socket.end(undefined);
  }

  async #unlink(limitMs: number): Promise<UnlinkAnswer> {
    const answer = await askToUnlink(this.#socket, this.#loggedIn.promise, this.#wire.down, limitMs);
    if (answer === "unlinked") this.#isUnlinked = true;
    return answer;
  }

  // ── Credentials and keys ───────────────────────────────────────────────────────────────────────

  /** Until the new login is durable, keys stay here; afterwards they go to the vault, with the credentials. */
  #keys(): Vault {
    return {
      load: (type, ids) => (this.#nascent ?? this.#vault).load(type, ids),
      save: async (keys) => {
        if (this.#nascent === null) return await this.#save(keys);
        await this.#nascent.save(keys);
        await this.#kept;
      },
    };
  }

  async #save(keys: readonly KeyWrite[]): Promise<void> {
    const credentials = this.#unsavedCredentials ? encodeCredentials(this.#credentials) : undefined;
    this.#unsavedCredentials = false;
    try {
      await this.#vault.save(keys, credentials);
    } catch (error) {
      this.#unsavedCredentials ||= credentials !== undefined;
      throw error;
    }
  }

  /**
   * Baileys announces changed credentials just before it writes the keys they belong to, in the same
   * turn of the event loop: waiting for the end of that turn lets one transaction carry both.
   */
  #onCredentials(): void {
    if (this.#nascent !== null || this.#unsavedCredentials) return;
    this.#unsavedCredentials = true;
    setTimeout(() => {
      if (!this.#unsavedCredentials || this.#stage === "over") return;
      this.#save([]).catch(() => {}); // they go with the next save
    }, 0);
  }
}
