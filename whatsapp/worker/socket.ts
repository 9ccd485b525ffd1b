/**
 * One Baileys socket, from opening to its end, told to the main thread in the domain's words.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { KeyWrite } from "../../domain/ports.ts";
import type { Purpose, SocketSettings } from "../protocol.ts";
import type { Departure } from "../socket_layer.ts";
import {
  type AuthenticationCreds,
  type BinaryNode,
  initAuthCreds,
  makeWASocket,
  silentLogger,
  type WASocket,
} from "./baileys.ts";
import { causeOf, type LastSign, socketErrorSign, streamErrorSign } from "./cause.ts";
import { decodeCredentials, encodeCredentials } from "./codec.ts";
import { forTheLiving, NascentKeys, type Vault, vaultKeyStore } from "./key_store.ts";
import { renderQr } from "./qr_image.ts";

/** What a socket tells. `closed` is its last word, and always comes unless it was told to close. */
export interface SocketListener {
  qr(string: string, ordinal: number, generatedAt: number): void;
  /** Resolves once the new login is durable; rejects when it is not kept. */
  paired(credentials: string, keys: readonly KeyWrite[]): Promise<void>;
  passkeyDemanded(): void;
  identified(jid: string): void;
  connected(jid: string): void;
  closed(cause: DisconnectCause): void;
}

/** What Baileys' socket runs over; it keeps it to itself. */
interface Wire {
  once(event: "close", listener: () => void): void;
  /** Cuts the connection without the closing handshake. */
  terminate(): void;
}

/** Where a socket's login is kept; credentials and keys that belong together travel together. */
export interface LoginVault extends Vault {
  save(keys: readonly KeyWrite[], credentials?: string): Promise<void>;
}

/** How long a socket that is over may take for the closing handshake before it is cut, in milliseconds. */
const CLOSE_MS = 2_000;

export class BaileysSocket {
  readonly #listener: SocketListener;
  readonly #vault: LoginVault;
  /** The keys of a login that the main thread has not been told of yet. */
  #nascent: NascentKeys | null;
  readonly #credentials: AuthenticationCreds;
  readonly #socket: WASocket;
  readonly #wire: Wire;
  readonly #over = Promise.withResolvers<void>();
  /** Resolves once the socket is over and its connection is down. */
  readonly gone: Promise<Departure>;
  #sign: LastSign = null;
  #heardAt = Date.now();
  #qrs = 0;
  #unsavedCredentials = false;
  /** The news of a pairing, still to be told. */
  #pairing: ReturnType<typeof setTimeout> | undefined;
  #stage: "pairing" | "login" | "over";

  /** @throws {SyntaxError} when the credentials of a login are no JSON */
  constructor(purpose: Purpose, settings: SocketSettings, vault: LoginVault, listener: SocketListener) {
    this.#listener = listener;
    this.#vault = vault;
    this.#stage = purpose.kind === "pair" ? "pairing" : "login";
    this.#nascent = purpose.kind === "pair" ? new NascentKeys() : null;
    this.#credentials = purpose.kind === "pair" ? initAuthCreds() : decodeCredentials(purpose.credentials);
    this.#socket = makeWASocket({
      waWebSocketUrl: settings.url,
      auth: {
        creds: this.#credentials,
        keys: vaultKeyStore(forTheLiving(this.#keys(), () => this.#stage === "over")),
      },
      logger: silentLogger,
      connectTimeoutMs: settings.connectMs,
      keepAliveIntervalMs: settings.keepAliveMs,
      // The number stays quiet: the phone keeps getting its notifications, and no history is fetched,
      // which a worker that reaches one host could not do anyway.
      markOnlineOnConnect: false,
      syncFullHistory: false,
      shouldSyncHistoryMessage: () => false,
      ...(settings.qrMs === undefined ? {} : { qrTimeout: settings.qrMs }),
      ...(settings.version === undefined ? {} : { version: [...settings.version] }),
    });
    this.#wire = (this.#socket.ws as unknown as { socket: Wire }).socket;
    // Of the wire itself: Baileys stops listening once it has begun to close.
    const down = new Promise<void>((resolve) => this.#wire.once("close", resolve));
    this.gone = this.#over.promise.then(async () => {
      await this.#cutAfter(down);
      return { unlinked: false };
    });
    this.#listen();
    if (this.#credentials.me !== undefined) listener.identified(this.#credentials.me.id);
  }

  /**
   * Ends the socket; nothing more is told of it. With `unlink`, WhatsApp is told besides that this
   * device is no longer linked, as far as the connection still carries the word. Resolves once it is gone.
   */
  async close(unlink: boolean): Promise<void> {
    if (this.#stage !== "over") {
      clearTimeout(this.#pairing);
      this.#end();
      try {
        if (unlink && this.#socket.ws.isOpen) await this.#socket.logout();
        await this.#socket.end(undefined);
      } catch {
        this.#wire.terminate();
      }
    }
    await this.gone;
  }

  /** When the socket last heard a word from WhatsApp, or was opened; milliseconds. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /**
   * Gives the socket up when it has heard nothing for `silenceMs`. Baileys notices an unanswered keep-alive
   * too, but then waits for a closing handshake that a dead peer never answers.
   */
  endIfSilent(silenceMs: number): void {
    if (this.#stage === "over") return;
    if (Date.now() - this.#heardAt < silenceMs) return;
    this.#sign = { kind: "silence" };
    this.#wire.terminate();
    this.#onClosed(undefined);
    void this.#socket.end(undefined);
  }

  #listen(): void {
    const { ev, ws } = this.#socket;
    ws.on("CB:failure", () => this.#sign = { kind: "whatsapp" });
    ws.on("CB:stream:error", (node: BinaryNode) => this.#sign = streamErrorSign(node));
    ws.on("frame", () => this.#heardAt = Date.now());
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
    const generatedAt = Date.now();
    const ordinal = this.#qrs++;
    renderQr(text).then((string) => {
      if (this.#stage === "pairing") this.#listener.qr(string, ordinal, generatedAt);
    });
  }

  /**
   * Baileys tells of the pairing just before it signs it, in the same turn of the event loop. Told one turn
   * later, the news never says of a link that WhatsApp may not have seen signed.
   */
  #onPaired(): void {
    this.#stage = "login";
    this.#pairing = setTimeout(() => this.#tellPairing(), 0);
  }

  #tellPairing(): void {
    clearTimeout(this.#pairing);
    this.#pairing = undefined;
    const keys = this.#nascent?.all() ?? [];
    this.#nascent = null;
    this.#listener.paired(encodeCredentials(this.#credentials), keys).catch(() => {});
  }

  #onClosed(error: unknown): void {
    if (this.#stage === "over") return;
    if (this.#pairing !== undefined) this.#tellPairing();
    this.#end();
    // Baileys empties its caches when it begins to close, and may have filled them since.
    this.#socket.signalRepository.close?.();
    this.#listener.closed(causeOf(this.#sign, error));
  }

  #end(): void {
    this.#stage = "over";
    this.#over.resolve();
  }

  /** Gives the closing handshake its time; a dead peer would never answer it. */
  async #cutAfter(down: Promise<void>): Promise<void> {
    const cut = setTimeout(() => this.#wire.terminate(), CLOSE_MS);
    await down;
    clearTimeout(cut);
  }

  // ── Credentials and keys ───────────────────────────────────────────────────────────────────────

  /** Until the pairing is told, keys stay here; afterwards they go to the vault, with the credentials. */
  #keys(): Vault {
    return {
      load: (type, ids) => (this.#nascent ?? this.#vault).load(type, ids),
      save: (keys) => this.#nascent?.save(keys) ?? this.#save(keys),
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
      if (this.#unsavedCredentials) this.#save([]).catch(() => {}); // they go with the next save
    }, 0);
  }
}
