/**
 * What the product asks of its store. `db/` implements it; everything else knows only this.
 * @module
 */
import type { CredentialsChange, KeyWrite } from "../../domain/credentials.ts";
import type { Lease } from "../../domain/leases.ts";
import type { Link } from "../../domain/snapshot.ts";
import type { Instant, Session } from "../../domain/session.ts";
import type { Outline } from "../../domain/view.ts";

/** A session as the store holds it. */
export interface StoredSession {
  readonly session: Session;
  readonly link: Link;
  /** Whether an older login is held until the present one has logged in. */
  readonly predecessor: boolean;
  /** True when the session needs an owner and no live replica has it. */
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

/** A value, or a promise of one. A failure is thrown, or rejects. */
export type MaybePromise<T> = T | Promise<T>;

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
  outline(instanceId: string): MaybePromise<StoredOutline | null>;
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
   * A session that is not there is not made: a late write brings nothing back that has been deleted.
   * @param lease by which the session is held, where there can be several replicas
   * @throws {FencedError} when it is not held any more
   * @throws {SessionMissingError} when there is no such session
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

/** A row that another system wrote is no session of the contract's. It is left as it is until the session is used. */
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

/** There is no such session any more: nothing was written, and nothing of it is to come back. */
export class SessionMissingError extends Error {
  override readonly name = "SessionMissingError";
  constructor(instanceId: string) {
    super(`The session ${instanceId} has been deleted.`);
  }
}

/** The session is another replica's by now, or its presence has run out: nothing was written. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  constructor(instanceId: string) {
    super(`The session ${instanceId} belongs to another replica by now.`);
  }
}
