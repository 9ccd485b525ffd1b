/**
 * What supervision needs of the layer that runs the sockets.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { KeyWrite } from "../../domain/credentials.ts";

/** What is known of a device once its socket's connection is down. */
export interface ClosedConnection {
  /**
   * True when WhatsApp has confirmed that this device is no longer linked, or has answered that it knows no such
   * device.
   */
  readonly unlinked: boolean;
}

/** A socket, from the side that opened it. */
export interface Socket {
  /**
   * When WhatsApp last sent something, known to within a few seconds; null before the first time. Wall time, in
   * milliseconds.
   */
  readonly heardAt: number | null;
  /**
   * Resolves once its connection is down, which can be seconds after `closed` or {@link close}. Never rejects,
   * and always resolves.
   */
  readonly gone: Promise<ClosedConnection>;
  /**
   * Ends it; its listener is not called any more. With `unlink`, WhatsApp is first asked to unlink this device,
   * where the connection still carries that; `gone` tells whether WhatsApp has confirmed it.
   */
  close(options: { unlink: boolean }): void;
}

/** What happens on a socket. Passed on unchanged from the worker to the session. */
export type SocketEvent =
  /** A QR to be scanned; the first one of a socket has the ordinal 0. */
  | { readonly type: "qr"; readonly string: string; readonly ordinal: number }
  /** The phone has scanned, and WhatsApp demands a passkey. */
  | { readonly type: "passkey_demanded" }
  /** Which login the socket uses; before it connects. */
  | { readonly type: "identified"; readonly jid: string }
  | { readonly type: "connected"; readonly jid: string }
  /** The socket is over: its last event. */
  | { readonly type: "closed"; readonly cause: DisconnectCause };

/** What a socket asks of the session, and waits for. */
export type SocketRequest =
  /**
   * The phone has scanned. WhatsApp learns that the pairing is complete once the new login is durable; the
   * connection is cut when the request is rejected.
   */
  | { readonly type: "paired"; readonly credentials: string; readonly keys: readonly KeyWrite[] }
  /** The login's keys of these ids; those that are not stored are absent from the answer. */
  | { readonly type: "load_keys"; readonly keyType: string; readonly ids: readonly string[] }
  | { readonly type: "save_keys"; readonly keys: readonly KeyWrite[]; readonly credentials?: string };

/** Receives what one socket tells and asks, in the order in which it happened. */
export interface SocketListener {
  /** @param at when it happened, by the main thread's steady clock, in milliseconds */
  onEvent(event: SocketEvent, at: number): void;
  /**
   * @returns the keys that were found; for a write an empty map, once all of it is durable. Rejects when the
   *   request fails for good
   */
  onRequest(request: SocketRequest): Promise<ReadonlyMap<string, string>>;
}

/** Opens sockets. Opening cannot fail here: every failure is a `closed` event. */
export interface SocketLayer {
  open(purpose: Purpose, listener: SocketListener): Socket;
}

/** Why a socket is opened. */
export type Purpose =
  /** To pair a new login. */
  | { readonly kind: "pair" }
  /** To use a login. */
  | { readonly kind: "login"; readonly credentials: string }
  /** To log in with a retired login, only to unlink its device. Nothing of it is saved. */
  | { readonly kind: "unlink"; readonly credentials: string };
