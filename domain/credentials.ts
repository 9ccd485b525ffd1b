/**
 * What becomes of a session's stored credentials, as part of what a transition makes durable.
 *
 * Source: decisions, "The QR".
 * @module
 */

/**
 * One signal key: Baileys' type and id, and its value as text; null erases it. A type has at most 64 ASCII
 * characters and is not `creds`; an id has at most 255 bytes in UTF-8.
 */
export interface KeyWrite {
  readonly type: string;
  readonly id: string;
  readonly value: string | null;
}

/** What happens to an instance's credentials in the transaction that writes its session. */
export type CredentialsChange =
  /** They stay as they are. */
  | { readonly kind: "keep" }
  /**
   * Those of a new pairing replace credentials and keys; the link is `working`. The login that was there, if any,
   * is retired under `retiredId`, which is new for each adoption:
   * - a login that another client uses as well (`contested`, see `suspend`) is erased and never unlinked: that
   *   client goes on with it;
   * - a `working` one, where none is held yet, is *held* with all its keys until the new one has logged in
   *   (`confirm`) or turned out to be of no use (`revert`);
   * - any other waits to be unlinked: its signal keys are erased, its credentials kept sealed.
   */
  | {
    readonly kind: "adopt";
    readonly credentials: string;
    readonly keys: readonly KeyWrite[];
    readonly retiredId: string;
  }
  /**
   * The login has proved itself: the one that is held for its sake, if any, waits to be unlinked from now on, and
   * its signal keys are erased.
   */
  | { readonly kind: "confirm" }
  /**
   * The login does not exist at WhatsApp, or may not be used: it is erased, and the held one takes its place again
   * with all its keys, `working`. Without a held one: as `erase`. With a `retiredId` its credentials wait, sealed,
   * under that to be unlinked.
   */
  | { readonly kind: "revert"; readonly retiredId: string | null }
  /**
   * WhatsApp says that the login is gone: credentials, keys and link are erased; a held one, if any, waits to be
   * unlinked.
   */
  | { readonly kind: "erase" }
  /**
   * The login is given up on our side: its credentials wait, sealed, under `retiredId` to be unlinked (a contested
   * one is erased instead); keys and link are erased; a held one, if any, waits to be unlinked too.
   */
  | { readonly kind: "retire"; readonly retiredId: string }
  /** They stay, and the link, where there is one, is `suspended`; `contested` when another client uses the same login. */
  | { readonly kind: "suspend"; readonly contested: boolean };

/** They stay as they are. */
export const KEEP: CredentialsChange = { kind: "keep" };
