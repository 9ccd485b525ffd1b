/**
 * The messages between the main thread and a socket worker. Plain data: it crosses by structured clone, and a worker
 * is trusted with nothing but the logins of its own sockets.
 * @module
 */
import type { DisconnectCause } from "../domain/disconnect.ts";
import type { Purpose, SocketEvent, SocketRequest } from "../sessions/ports/sockets.ts";

/** One socket of one session; never used twice in a process, so that a late message is recognised. */
export type SocketId = number;
/** One request, counted from 1 by the side that makes it. */
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
  /** A socket that has received nothing for so long is given up, in milliseconds. */
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
  /** The worker sends its {@link WorkerAnswer} with this id. */
  | { readonly type: "request"; readonly id: RequestId; readonly request: WorkerRequest }
  | SocketAnswer;

/** What the main thread asks of a worker. One that is for a single socket names it. */
export type WorkerRequest =
  /** A worker that hangs cannot answer. */
  | { readonly type: "heartbeat" }
  /** Close every socket without unlinking; answered once all are gone. */
  | { readonly type: "stop" };

/** The answer to a {@link WorkerRequest} of the same type. */
export type WorkerAnswer =
  | {
    readonly type: "heartbeat";
    readonly memoryBytes: number;
    /** The worker's monotonic time, in milliseconds; its origin is the worker's own. */
    readonly now: number;
    /** When each socket last received something from WhatsApp, by the same time. */
    readonly heard: readonly (readonly [SocketId, number])[];
  }
  | { readonly type: "stop" };

/** The answer to a socket's request of this id. */
export interface SocketAnswer {
  readonly type: "answer";
  readonly id: RequestId;
  /** The keys that were found; empty for a write that is durable; null for a request that failed for good. */
  readonly values: ReadonlyMap<string, string> | null;
}

/** The ends that a worker can tell of; that it is lost itself is for the main thread to say. */
export type WorkerCause = Exclude<DisconnectCause, { origin: "worker" }>;

/** A socket's event, as a worker can tell it. */
export type WorkerEvent =
  | Exclude<SocketEvent, { type: "closed" }>
  | { readonly type: "closed"; readonly cause: WorkerCause };

/** Worker → main thread. */
export type Report =
  | {
    readonly type: "event";
    readonly socket: SocketId;
    readonly event: WorkerEvent;
    /** When it happened, by the worker's monotonic time, in milliseconds, as `now` is. */
    readonly at: number;
    /** When the report was sent. */
    readonly now: number;
  }
  | {
    readonly type: "request";
    readonly socket: SocketId;
    readonly id: RequestId;
    readonly request: SocketRequest;
  }
  | { readonly type: "answer"; readonly id: RequestId; readonly answer: WorkerAnswer }
  /**
   * The socket's connection is down, or there never was one. The last report of every socket, whether it was told to
   * close or ended by itself. `unlinked` as in `ClosedConnection`.
   */
  | { readonly type: "gone"; readonly socket: SocketId; readonly unlinked: boolean }
  /** An error was not caught; the worker goes on. */
  | { readonly type: "fault"; readonly name: string };
