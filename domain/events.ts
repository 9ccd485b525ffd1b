/**
 * What can happen to a session, and what has to be done about it; both as plain data.
 * @module
 */
import type { KeyWrite } from "./credentials.ts";
import type { DisconnectCause } from "./disconnect.ts";
import type { DisconnectReason } from "@session-manager/contract";
import type { Instant } from "./session.ts";

/** Something happened: on a socket, in the Hub, in another part of the system, or in time. */
export type SessionEvent =
  /** The Hub asked for a QR. */
  | { readonly type: "qr_requested" }
  /** The pairing socket shows a QR since `generatedAt`. `ordinal` is 0 for its first. */
  | {
    readonly type: "qr";
    readonly string: string;
    readonly ordinal: number;
    readonly generatedAt: Instant;
  }
  /** The phone scanned the QR and WhatsApp accepted it; this is the new login. */
  | { readonly type: "paired"; readonly credentials: string; readonly keys: readonly KeyWrite[] }
  /** The phone scanned the QR, and WhatsApp demands a passkey, which no socket can give. */
  | { readonly type: "passkey_demanded" }
  /** It is this session's turn to log in. */
  | { readonly type: "admitted" }
  /**
   * The login's socket is logged in, or an internal event says that the session is connected. Without
   * a number, the last one known stays.
   */
  | {
    readonly type: "connected";
    readonly phoneNumber: string | null;
    readonly source: "socket" | "internal";
  }
  /** An internal event says that the session is disconnected. */
  | { readonly type: "disconnected"; readonly reason: DisconnectReason }
  /** The pairing socket ended. */
  | { readonly type: "pairing_closed"; readonly cause: DisconnectCause }
  /** The login's socket ended. `rival` is another session of this system that uses the same login. */
  | { readonly type: "login_closed"; readonly cause: DisconnectCause; readonly rival?: string | null }
  /** The stored credentials cannot be opened. */
  | { readonly type: "credentials_unreadable" }
  /** The service started and found this session in its store. */
  | { readonly type: "restored" }
  /** The service stops; it closes every socket without unlinking. */
  | { readonly type: "stopping" }
  /** Time has passed. */
  | { readonly type: "tick" };

/** What the supervisor has to do, in order, once the session and its credentials are written. */
export type Effect =
  /** Open a socket without credentials, to pair. */
  | { readonly type: "open_pairing_socket" }
  | { readonly type: "close_pairing_socket" }
  /** Open a socket with the stored credentials. */
  | { readonly type: "open_login_socket" }
  /** Close the login's socket; `unlink` tells WhatsApp besides that this device is no longer linked. */
  | { readonly type: "close_login_socket"; readonly unlink: boolean }
  /** Ask for a turn to log in; `admitted` follows. */
  | { readonly type: "ask_admission" };
