/**
 * One Baileys socket, from opening to its end, as the protocol's events and requests.
 * @module
 */
import type { ClosedConnection, Purpose } from "../../sessions/ports/sockets.ts";
import type { KeyWrite } from "../../domain/credentials.ts";
import type { SocketSettings, WorkerCause, WorkerEvent } from "../protocol.ts";
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
import { PendingKeys, rejectAfterClose, type Vault, vaultKeyStore } from "./key_store.ts";
import type { Outlet } from "./outlet.ts";
import { renderQr } from "./qr_image.ts";
import { askToUnlink, type UnlinkAnswer } from "./unlinking.ts";
import { type RawWire, Wire } from "./wire.ts";

/** How long an attempt to unlink may take, in milliseconds, where the settings say nothing else. */
const UNLINK_MS = { attempt: 20_000, closing: 5_000 };

/** How the socket ends by what WhatsApp made of the request to unlink. */
const UNLINK_ENDS: Readonly<Record<Exclude<UnlinkAnswer, "down">, WorkerCause>> = {
  unlinked: { origin: "whatsapp", code: 401 },
  refused: { origin: "client", code: 0 },
  overdue: { origin: "client", code: 408 },
};
/** The longest interval that a timer can hold, 24 days, in milliseconds. */
const NEVER_MS = 2 ** 31 - 1;

/** One Baileys socket with its login and keys, inside the sandbox. */
export class BaileysSocket {
  readonly #outlet: Outlet;
  readonly #unlinkMs: typeof UNLINK_MS;
  /** The keys of a login that is not stored yet, or no longer is. */
  #pendingKeys: PendingKeys | null;
  /** Resolves once the new login is durable; rejects when it is not stored. Null before the phone has scanned. */
  #stored: Promise<void> | null = null;
  readonly #credentials: AuthenticationCreds;
  readonly #socket: WASocket;
  readonly #wire: Wire;
  readonly #loggedIn = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  /** Resolves once the socket is over and its connection is down. */
  readonly gone: Promise<ClosedConnection>;
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
  constructor(purpose: Purpose, settings: SocketSettings, outlet: Outlet) {
    this.#outlet = outlet;
    this.#keepAliveMs = settings.keepAliveMs;
    this.#unlinkMs = settings.unlinkMs ?? UNLINK_MS;
    this.#stage = purpose.kind === "pair" ? "pairing" : purpose.kind;
    this.#pendingKeys = purpose.kind === "login" ? null : new PendingKeys();
    this.#credentials = purpose.kind === "pair" ? initAuthCreds() : decodeCredentials(purpose.credentials);
    if (purpose.kind === "unlink" && this.#credentials.me === undefined) throw new Error("No device.");
    this.#socket = makeWASocket({
      waWebSocketUrl: settings.url,
      auth: {
        creds: this.#credentials,
        keys: vaultKeyStore(rejectAfterClose(this.#keys(), () => this.#stage === "over")),
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
    if (this.#credentials.me !== undefined) this.#send({ type: "identified", jid: this.#credentials.me.id });
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

  /** When the socket was opened or last received something; this thread's monotonic time, in milliseconds. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /**
   * Gives the socket up when it has received nothing for `silenceMs`, without waiting for a closing handshake that a
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
      if (this.#stage === "pairing") this.#send({ type: "passkey_demanded" });
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
      if (update.connection === "open") {
        this.#send({ type: "connected", jid: this.#credentials.me?.id ?? "" });
      }
      if (update.connection === "close") this.#onClosed(update.lastDisconnect?.error);
    });
  }

  #onQr(text: string): void {
    if (this.#stage !== "pairing") return;
    const at = performance.now();
    const ordinal = this.#qrs++;
    renderQr(text).then((string) => {
      if (this.#stage === "pairing") this.#outlet.send({ type: "qr", string, ordinal }, at);
    });
  }

  #onClosed(error: unknown): void {
    if (this.#stage !== "over") this.#tellEnd(causeOf(this.#sign, error));
  }

  #tellEnd(cause: WorkerCause): void {
    this.#end();
    // Baileys empties its caches when it begins to close, and may have filled them since.
    this.#socket.signalRepository.close?.();
    this.#send({ type: "closed", cause });
  }

  /** Sends an event that happens now. */
  #send(event: WorkerEvent): void {
    this.#outlet.send(event, performance.now());
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
   * what makes the device: until the login is durable it stays here, so that WhatsApp knows of no device whose
   * login is lost, whenever this process dies.
   */
  #onPaired(): void {
    if (this.#stage !== "pairing") return;
    this.#stage = "paired";
    this.#wire.hold();
    const credentials = encodeCredentials(this.#credentials);
    const keys = this.#pendingKeys?.take() ?? [];
    this.#stored = this.#outlet.request({ type: "paired", credentials, keys })
      .then(() => this.#onStored(credentials));
    this.#stored.catch(() => this.#cut());
  }

  /** @param credentials as they were stored */
  async #onStored(credentials: string): Promise<void> {
    if (this.#stage === "over") throw new Error("The socket is over.");
    const late = this.#pendingKeys?.take() ?? [];
    this.#pendingKeys = null;
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

  /** Until the new login is durable, keys stay here; afterwards they go to the main thread, with the credentials. */
  #keys(): Vault {
    return {
      load: (keyType, ids) =>
        this.#pendingKeys?.load(keyType, ids) ?? this.#outlet.request({ type: "load_keys", keyType, ids }),
      save: async (keys) => {
        if (this.#pendingKeys === null) return await this.#save(keys);
        await this.#pendingKeys.save(keys);
        await this.#stored;
      },
    };
  }

  async #save(keys: readonly KeyWrite[]): Promise<void> {
    const login = this.#unsavedCredentials ? { credentials: encodeCredentials(this.#credentials) } : {};
    this.#unsavedCredentials = false;
    try {
      await this.#outlet.request({ type: "save_keys", keys, ...login });
    } catch (error) {
      this.#unsavedCredentials ||= "credentials" in login;
      throw error;
    }
  }

  /**
   * Baileys announces changed credentials just before it writes the keys they belong to, in the same
   * turn of the event loop: waiting for the end of that turn lets one transaction carry both.
   */
  #onCredentials(): void {
    if (this.#pendingKeys !== null || this.#unsavedCredentials) return;
    this.#unsavedCredentials = true;
    setTimeout(() => {
      if (!this.#unsavedCredentials || this.#stage === "over") return;
      this.#save([]).catch(() => {}); // they go with the next save
    }, 0);
  }
}
