/**
 * What can happen to a session, and what has to be done about it; both as plain data.
 * @module
 */
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
  /** The phone scanned the QR and WhatsApp accepted it; the new credentials are to be kept. */
  | { readonly type: "paired" }
  /** The phone scanned the QR, and WhatsApp demands a passkey, which no socket can give. */
  | { readonly type: "passkey_demanded" }
  /** It is this session's turn to log in. */
  | { readonly type: "admitted" }
  /**
   * The login's socket is logged in, or a trusted part of the system says that the session is connected. Without
   * a number, the last one known stays.
   */
  | {
    readonly type: "connected";
    readonly phoneNumber: string | null;
    readonly source: "socket" | "internal";
  }
  /** A trusted part of the system says that the session is disconnected. */
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

/**
 * What the supervisor has to do, in order. Effects on credentials are carried out in the transaction
 * that writes the session; the others after it.
 */
export type Effect =
  /** Open a socket without credentials, to pair. */
  | { readonly type: "open_pairing_socket" }
  | { readonly type: "close_pairing_socket" }
  /** Open a socket with the stored credentials. */
  | { readonly type: "open_login_socket" }
  /** Close the login's socket; `unlink` tells WhatsApp besides that this device is no longer linked. */
  | { readonly type: "close_login_socket"; readonly unlink: boolean }
  /** Ask for a turn to log in; `admitted` follows. */
  | { readonly type: "ask_admission" }
  | CredentialsEffect;

/** What becomes of the stored credentials; see `CredentialsChange` in `ports.ts`. */
export type CredentialsEffect =
  /** Those of the new pairing take the place of the stored ones, which are held or retired. */
  | { readonly type: "adopt_credentials" }
  /** The new login has proved itself: the one that was held for its sake is retired. */
  | { readonly type: "confirm_credentials" }
  /**
   * The new login does not exist at WhatsApp, or may not be used: the one that is held takes its place again. With
   * `retire` the new one has a device, and is kept apart until WhatsApp has unlinked it.
   */
  | { readonly type: "revert_credentials"; readonly retire: boolean }
  /** WhatsApp says that the login is gone: erase credentials and keys. */
  | { readonly type: "erase_credentials" }
  /** Given up on our side: keep the login apart, until WhatsApp has unlinked it. */
  | { readonly type: "retire_credentials" }
  /** Keep the credentials, and mark them as not to be used; `contested` when another client uses them. */
  | { readonly type: "suspend_credentials"; readonly contested: boolean };
