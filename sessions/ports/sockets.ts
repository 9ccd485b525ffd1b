/**
 * What supervision asks of the layer that runs the sockets.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { KeyWrite } from "../../domain/credentials.ts";

/** How things stand with WhatsApp once a socket's connection is down. */
export interface Departure {
  /**
   * Whether WhatsApp has confirmed that this device is no longer linked, or says that it knows no such device.
   */
  readonly unlinked: boolean;
}

/** A socket, from the side that asked for it. */
export interface Socket {
  /**
   * When it last heard a word from WhatsApp, known to within a few seconds; null before the first. Wall time, in
   * milliseconds.
   */
  readonly heardAt: number | null;
  /**
   * Resolves once its connection is down, which can be seconds after its end was told or asked for. Never
   * rejects, and never waits for ever.
   */
  readonly gone: Promise<Departure>;
  /**
   * Ends it; nothing more is heard of it. With `unlink`, WhatsApp is first asked to unlink this device, where
   * the connection still carries that; `gone` tells whether it has confirmed it.
   */
  close(options: { unlink: boolean }): void;
}

/** What a socket tells, in the order in which it happened. `closed` is the last word. */
export interface SocketListener {
  /** @param generatedAt by the clock's steady time, in milliseconds */
  qr(string: string, ordinal: number, generatedAt: number): void;
  /**
   * The phone has scanned, and WhatsApp has not been told yet that the pairing is complete: it is told once this
   * resolves, and the connection is cut when it rejects.
   * @returns resolves once the new login is durable; rejects when it is not kept
   */
  paired(credentials: string, keys: readonly KeyWrite[]): Promise<void>;
  passkeyDemanded(): void;
  /** Which login the socket uses; told before it connects. */
  identified(jid: string): void;
  connected(jid: string): void;
  closed(cause: DisconnectCause): void;
  /** The login's keys of these ids; those that are not stored are absent. */
  load(keyType: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Resolves once all of it is durable. */
  save(keys: readonly KeyWrite[], credentials?: string): Promise<void>;
}

/** Opens sockets. Opening cannot fail here: whatever goes wrong is told as `closed`. */
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
