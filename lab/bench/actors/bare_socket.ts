/**
 * One bare socket: what the library's own example does, and no more.
 * @module
 */
import { DisconnectReason, makeWASocket, type WASocket } from "@whiskeysockets/baileys";
import { silentLogger } from "../../../whatsapp/worker/baileys.ts";
import type { Login } from "./logins.ts";

export class BareSocket {
  readonly login: Login;
  readonly #url: string;
  readonly #qr = Promise.withResolvers<string>();
  readonly #open = Promise.withResolvers<void>();
  #socket: WASocket;
  #closing = false;

  constructor(url: string, login: Login) {
    this.#url = url;
    this.login = login;
    this.#socket = this.#connect();
  }

  /** Its first QR's text. */
  get qr(): Promise<string> {
    return this.#qr.promise;
  }

  /** Resolves once it is logged in. */
  get open(): Promise<void> {
    return this.#open.promise;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#socket.end(undefined);
  }

  #connect(): WASocket {
    const { creds, keys, save } = this.login;
    const socket = makeWASocket({ auth: { creds, keys }, waWebSocketUrl: this.#url, logger: silentLogger });
    socket.ev.on("creds.update", (update) => {
      Object.assign(creds, update);
      void save();
    });
    socket.ev.on("connection.update", ({ qr, connection, lastDisconnect }) => {
      if (qr !== undefined) this.#qr.resolve(qr);
      if (connection === "open") this.#open.resolve();
      if (connection !== "close" || this.#closing) return;
      const { output } = (lastDisconnect?.error ?? {}) as { output?: { statusCode?: number } };
      // The restart that belongs to a pairing.
      if (output?.statusCode === DisconnectReason.restartRequired) this.#socket = this.#connect();
    });
    return socket;
  }
}
