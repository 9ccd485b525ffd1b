/**
 * What the product asks of its store. `db/` implements it; everything else knows only this.
 * @module
 */
import type { Lease } from "./leases.ts";
import type { Link } from "./life.ts";
import type { Instant, Session } from "./session.ts";
import type { Outline } from "./view.ts";

/** A session as the store holds it. */
export interface StoredSession {
  readonly session: Session;
  readonly link: Link;
  /** Whether an older login is held until the present one has logged in. */
  readonly predecessor: boolean;
  /** Whether something is to be done for it and no replica is known to do it, where there can be several. */
  readonly isOrphan?: boolean;
  /**
   * Set where the row holds what no session can be, as another system may write it: `session` is then what it is
   * taken for once somebody acts for it, and nobody may be told of it before that is written.
   */
  readonly foreign?: ForeignRowError;
}

/** What the Hub is told of a session, as the store holds it. */
export interface StoredOutline extends Outline {
  /** As {@link StoredSession.isOrphan}. */
  readonly isOrphan?: boolean;
}

/** What is there at once, or has to be waited for. A failure is thrown, or rejects. */
export type Soon<T> = T | Promise<T>;

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

/**
 * The authority's memory: sessions, links, credentials. Every method is atomic and, once it has
 * resolved, durable.
 *
 * @throws {StoreUnavailableError} when the database cannot be reached or refuses for now
 */
export interface SessionStore {
  /** The session, or null when there is none. */
  find(instanceId: string): Promise<StoredSession | null>;
  /**
   * As much of it as the Hub is told, or null when there is none: what is read most, and so read cheaply.
   * @throws {ForeignRowError} when the row is no session
   */
  outline(instanceId: string): Soon<StoredOutline | null>;
  /** The session, created as `init` / `none` at `now` when there is none. Safe for any number of callers. */
  findOrCreate(instanceId: string, now: Instant): Promise<StoredSession>;
  /**
   * Every session that a start has to look at: those with a working link, and those that a crash left
   * in `connecting` or with a `generated` QR. Besides them, those whose row is no session.
   */
  listUnsettled(): Promise<StoredSession[]>;
  /**
   * Writes the whole session, and what becomes of its credentials, in one transaction. Carried out again with the
   * same session and the same change, because nobody knows whether it was, it changes nothing more.
   * @param lease by which the session is held, where there can be several replicas
   * @throws {FencedError} when it is not held any more
   */
  save(session: Session, credentials: CredentialsChange, lease?: Lease | null): Promise<void>;
}

/**
 * The logins themselves, sealed before they reach the database.
 *
 * @throws {StoreUnavailableError} when the database cannot be reached or refuses for now
 * @throws {CredentialsUnreadableError} when what is stored cannot be opened with the keys at hand
 */
export interface CredentialStore {
  /** The login's credentials as text, or null when there are none. */
  loadCredentials(instanceId: string): Promise<string | null>;
  /** The values of these keys; keys that are not stored are absent. One that does not open fails them all. */
  loadKeys(instanceId: string, type: string, ids: readonly string[]): Promise<Map<string, string>>;
  /**
   * Writes keys, and credentials where given, in one round trip; all of it or nothing.
   * @param lease as for {@link SessionStore.save}
   * @throws {FencedError} when it is not held any more
   */
  saveKeys(
    instanceId: string,
    keys: readonly KeyWrite[],
    credentials?: string,
    lease?: Lease | null,
  ): Promise<void>;
}

/** A login that waits to be unlinked at WhatsApp. */
export interface RetiredLogin {
  readonly id: string;
  readonly instanceId: string;
  /** Attempts so far. */
  readonly attempts: number;
  /** Since when it waits, by the store's clock. */
  readonly retiredAt: Instant;
}

/**
 * Logins that wait to be unlinked at WhatsApp. One that is held does not wait yet, and is none of these.
 *
 * A pause is at most 60 s; a longer one is cut to that.
 *
 * @throws {StoreUnavailableError} when the database cannot be reached or refuses for now
 */
export interface RetiredLoginStore {
  /** Those whose next attempt is due, longest due first, at most so many. */
  dueRetiredLogins(limit: number): Promise<RetiredLogin[]>;
  /** The login of this id, due or not; null when it is gone. */
  findRetiredLogin(id: string): Promise<RetiredLogin | null>;
  /**
   * Claims the next attempt, due or not: counts it, and puts the one after it off by `pauseMs`.
   * @returns false when another replica was first, or the login is gone
   */
  claimRetiredLogin(login: RetiredLogin, pauseMs: number): Promise<boolean>;
  /**
   * The login's credentials as text; null when it is gone.
   * @throws {CredentialsUnreadableError} when they cannot be opened with the keys at hand
   */
  loadRetiredLogin(id: string): Promise<string | null>;
  /** The next attempt is due in `pauseMs`. */
  postponeRetiredLogin(id: string, pauseMs: number): Promise<void>;
  /** It is unlinked, or given up. Safe to repeat. */
  forgetRetiredLogin(id: string): Promise<void>;
  /** How many wait. */
  countRetiredLogins(): Promise<number>;
}

/** The database cannot be reached, or cannot take the statement for now. Trying again makes sense. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
  /** Resolves once trying again makes sense; null where nobody tells. */
  readonly recovery: Promise<void> | null;
  constructor(cause?: unknown, recovery: Promise<void> | null = null) {
    super("The database cannot be reached.", { cause });
    this.recovery = recovery;
  }
}

/** A row that another system wrote is no session of the contract's. It is left as it is until somebody acts for it. */
export class ForeignRowError extends Error {
  override readonly name = "ForeignRowError";
  readonly instanceId: string;
  /** Whose value the contract does not know. */
  readonly column: "instance_id" | "status" | "qr_status";

  /** The message names no value of the row. */
  constructor(instanceId: string, column: ForeignRowError["column"]) {
    super(`The row of ${instanceId} holds a ${column} that the contract does not know.`);
    this.instanceId = instanceId;
    this.column = column;
  }
}

/** Stored credentials cannot be opened: another key, or damage. They are left as they are. */
export class CredentialsUnreadableError extends Error {
  override readonly name = "CredentialsUnreadableError";
  /** The key that would open them, where that is not at hand; null where it is damage. */
  readonly keyId: string | null;
  constructor(instanceId: string, cause?: unknown, keyId: string | null = null) {
    super(`The stored credentials of ${instanceId} cannot be opened.`, { cause });
    this.keyId = keyId;
  }
}
