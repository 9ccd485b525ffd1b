/**
 * What the main thread and a socket worker say to each other. Plain data: it crosses by structured
 * clone, and a worker is trusted with nothing but the logins of its own sockets.
 * @module
 */
import type { DisconnectCause } from "../domain/disconnect.ts";
import type { Purpose } from "../sessions/ports/sockets.ts";
import type { KeyWrite } from "../domain/credentials.ts";

/** One socket of one session; never used twice in a process, so that a late word is recognised. */
export type SocketId = number;
/** One question of a worker that waits for its {@link Reply}. */
export type RequestId = number;

/** What every socket of a worker has in common. */
export interface SocketSettings {
  /** WhatsApp's address, `wss://…`. */
  readonly url: string;
  /** The life of every QR of a socket, in milliseconds; absent for WhatsApp's own rhythm. */
  readonly qrMs?: number;
  /** The public key that WhatsApp's certificates are checked against, hex; absent for WhatsApp's own. */
  readonly rootKey?: string;
  /** WhatsApp Web's version that the client claims to be; absent for the library's. */
  readonly version?: readonly [number, number, number];
  /** How often the server is pinged, in milliseconds. */
  readonly keepAliveMs: number;
  /** How long opening a connection, and each step of the handshake, may take, in milliseconds. */
  readonly connectMs: number;
  /** A socket that has heard nothing for so long is given up, in milliseconds. */
  readonly silenceMs: number;
  /**
   * How long a socket that is opened to unlink may take for all of it, and how long one that is closed may take to
   * unlink first, in milliseconds; absent for 20 s and 5 s.
   */
  readonly unlinkMs?: { readonly attempt: number; readonly closing: number };
}

/** Main thread → worker. */
export type Command =
  /** `lifeline` is kept and never used: its other end closes when the worker's thread is over. */
  | { readonly type: "start"; readonly settings: SocketSettings; readonly lifeline: MessagePort }
  | { readonly type: "open"; readonly socket: SocketId; readonly purpose: Purpose }
  | { readonly type: "close"; readonly socket: SocketId; readonly unlink: boolean }
  /** Tell how you are; a worker that hangs cannot. */
  | { readonly type: "pulse" }
  /** Close every socket without unlinking, and say `stopped`. */
  | { readonly type: "stop" }
  | Reply;

/** The answer to `load` (with the values found), and to `save` and `paired` (once it is durable). */
export interface Reply {
  readonly type: "reply";
  readonly request: RequestId;
  /** Null when it failed for good. */
  readonly values: ReadonlyMap<string, string> | null;
}

/** A worker's answer to `pulse`. */
export interface Pulse {
  readonly type: "pulse";
  readonly memoryBytes: number;
  /** The worker's monotonic time, in milliseconds; its origin is the worker's own. */
  readonly now: number;
  /** When each socket last heard a word from WhatsApp, by the same time. */
  readonly heard: readonly (readonly [SocketId, number])[];
}

/** Worker → main thread. */
export type Report =
  | Pulse
  | { readonly type: "stopped" }
  /** Something threw where nobody catches it; the worker goes on. */
  | { readonly type: "fault"; readonly name: string }
  | {
    readonly type: "qr";
    readonly socket: SocketId;
    readonly string: string;
    readonly ordinal: number;
    /** By the worker's monotonic time, in milliseconds, as `now` is. */
    readonly generatedAt: number;
    readonly now: number;
  }
  /**
   * The phone has scanned. WhatsApp is told that the pairing is complete once the new login is durable, and so
   * never when the answer is null.
   */
  | {
    readonly type: "paired";
    readonly socket: SocketId;
    readonly request: RequestId;
    readonly credentials: string;
    readonly keys: readonly KeyWrite[];
  }
  | { readonly type: "passkey_demanded"; readonly socket: SocketId }
  /** Which login the socket uses; told before it connects. */
  | { readonly type: "identified"; readonly socket: SocketId; readonly jid: string }
  | { readonly type: "connected"; readonly socket: SocketId; readonly jid: string }
  | { readonly type: "closed"; readonly socket: SocketId; readonly cause: DisconnectCause }
  /**
   * Its connection is down, or there never was one. The last report of every socket, told to close or not.
   * `unlinked` as in a socket's departure.
   */
  | { readonly type: "gone"; readonly socket: SocketId; readonly unlinked: boolean }
  | {
    readonly type: "load";
    readonly socket: SocketId;
    readonly request: RequestId;
    readonly keyType: string;
    readonly ids: readonly string[];
  }
  | {
    readonly type: "save";
    readonly socket: SocketId;
    readonly request: RequestId;
    readonly keys: readonly KeyWrite[];
    readonly credentials?: string;
  };
