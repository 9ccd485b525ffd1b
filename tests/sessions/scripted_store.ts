/**
 * A store in memory that does what the ports promise, and answers as a test tells it to.
 * @module
 */
import type { CredentialsChange, KeyWrite } from "../../domain/credentials.ts";
import type { Lease } from "../../domain/leases.ts";
import type { Link } from "../../domain/snapshot.ts";
import { createSession, type Instant, type Session } from "../../domain/session.ts";
import {
  type CredentialStore,
  CredentialsUnreadableError,
  FencedError,
  type ForeignRowError,
  SessionMissingError,
  type SessionStore,
  type StoredOutline,
  type StoredSession,
  StoreUnavailableError,
} from "../../sessions/ports/store.ts";

/** A login with its keys. */
export interface StoredLogin {
  readonly credentials: string;
  readonly keys: ReadonlyMap<string, string>;
}

/** Everything that is stored of a session. */
export interface Row {
  readonly session: Session;
  readonly link: Link;
  readonly contested: boolean;
  readonly login: StoredLogin | null;
  readonly held: { readonly id: string; readonly login: StoredLogin } | null;
  readonly foreign?: ForeignRowError;
  readonly isOrphan?: boolean;
}

/** A write of a session that was carried out. */
export interface Save {
  readonly session: Session;
  readonly credentials: CredentialsChange;
  readonly lease: Lease | null;
}

export class ScriptedStore implements SessionStore, CredentialStore {
  readonly rows = new Map<string, Row>();
  /** What was carried out, in its order. */
  readonly saves: Save[] = [];
  /** The leases under which keys were written. */
  readonly keyWrites: (Lease | null)[] = [];
  /** Ids of the logins that wait to be unlinked. */
  readonly retired: string[] = [];
  /** `away` refuses; `unanswered` carries out what it is asked and then fails. */
  mood: "well" | "away" | "unanswered" = "well";
  /** Thrown by every write while it is set, be it what a repetition mends or not. */
  refusal: Error | null = null;
  /** Thrown by every read of credentials and keys while it is set. */
  unreadable: CredentialsUnreadableError | null = null;
  /** Says when a store that is away will be back. */
  recovery: Promise<void> | null = null;
  /** How often a write was asked for, carried out or not. */
  attempts = 0;
  /** Whether this lease is the session's; true of every lease where there is nobody to share with. */
  isCurrent: (lease: Lease | null) => boolean = () => true;
  onSave: (save: Save) => void = () => {};
  #gate: PromiseWithResolvers<void> | null = null;
  readonly #lastChange = new Map<string, CredentialsChange>();

  /** Puts a row there, as somebody has left it. */
  put(session: Session, parts: Partial<Omit<Row, "session">> = {}): void {
    this.rows.set(session.instanceId, {
      session,
      link: "none",
      contested: false,
      login: null,
      held: null,
      ...parts,
    });
  }

  /** The row. @throws {Error} when there is none */
  row(instanceId: string): Row {
    const row = this.rows.get(instanceId);
    if (row === undefined) throw new Error(`There is no row of ${instanceId}.`);
    return row;
  }

  /** Has every call wait from now on, until {@link resume}. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  /** Lets the calls that wait go on, and those to come. */
  resume(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  find(instanceId: string): Promise<StoredSession | null> {
    return this.#answer(() => {
      const row = this.rows.get(instanceId);
      return row === undefined ? null : stored(row);
    });
  }

  outline(instanceId: string): Promise<StoredOutline | null> {
    return this.#answer(() => {
      const row = this.rows.get(instanceId);
      if (row?.foreign !== undefined) throw row.foreign;
      return row === undefined ? null : { ...row.session, isOrphan: row.isOrphan ?? false };
    });
  }

  findOrCreate(instanceId: string, now: Instant): Promise<StoredSession> {
    return this.#answer(() => {
      if (!this.rows.has(instanceId)) this.put(createSession(instanceId, now));
      return stored(this.row(instanceId));
    });
  }

  listUnsettled(): Promise<StoredSession[]> {
    return this.#answer(() =>
      [...this.rows.values()].filter(({ session, link }) =>
        link === "working" || session.status === "connecting" || session.qr.status === "generated"
      ).map(stored)
    );
  }

  save(session: Session, credentials: CredentialsChange, lease: Lease | null = null): Promise<void> {
    return this.#write(session.instanceId, lease, (row) => {
      const isRepeated = credentials.kind !== "keep" &&
        this.#lastChange.get(session.instanceId) === credentials;
      this.#lastChange.set(session.instanceId, credentials);
      const { foreign: _, isOrphan: __, ...rest } = row;
      const next = isRepeated ? rest : this.#changed(rest, credentials);
      this.rows.set(session.instanceId, { ...next, session });
      const save = { session, credentials, lease };
      this.saves.push(save);
      this.onSave(save);
    });
  }

  loadCredentials(instanceId: string): Promise<string | null> {
    return this.#answer(() => {
      if (this.unreadable !== null) throw this.unreadable;
      return this.rows.get(instanceId)?.login?.credentials ?? null;
    });
  }

  loadKeys(instanceId: string, type: string, ids: readonly string[]): Promise<Map<string, string>> {
    return this.#answer(() => {
      if (this.unreadable !== null) throw this.unreadable;
      const keys = this.rows.get(instanceId)?.login?.keys;
      return new Map(ids.flatMap((id) => {
        const value = keys?.get(`${type}/${id}`);
        return value === undefined ? [] : [[id, value]];
      }));
    });
  }

  saveKeys(
    instanceId: string,
    keys: readonly KeyWrite[],
    credentials?: string,
    lease: Lease | null = null,
  ): Promise<void> {
    return this.#write(instanceId, lease, (row) => {
      this.keyWrites.push(lease);
      const login = row.login === null ? null : {
        credentials: credentials ?? row.login.credentials,
        keys: withKeys(row.login.keys, keys),
      };
      this.rows.set(instanceId, { ...row, login });
    });
  }

  #changed(row: Row, change: CredentialsChange): Row {
    switch (change.kind) {
      case "keep":
        return row;
      case "adopt": {
        const login = { credentials: change.credentials, keys: withKeys(new Map(), change.keys) };
        const next = { ...row, login, link: "working", contested: false } as const;
        if (row.login === null || row.contested) return next;
        if (row.link === "working" && row.held === null) {
          return { ...next, held: { id: change.retiredId, login: row.login } };
        }
        this.retired.push(change.retiredId);
        return next;
      }
      case "confirm":
        return this.#withoutHeld(row);
      case "revert":
        if (change.retiredId !== null && row.login !== null) this.retired.push(change.retiredId);
        return row.held === null
          ? { ...row, login: null, link: "none" }
          : { ...row, login: row.held.login, link: "working", contested: false, held: null };
      case "erase":
        return { ...this.#withoutHeld(row), login: null, link: "none", contested: false };
      case "retire":
        if (row.login !== null && !row.contested) this.retired.push(change.retiredId);
        return { ...this.#withoutHeld(row), login: null, link: "none", contested: false };
      case "suspend":
        return row.link === "none" ? row : { ...row, link: "suspended", contested: change.contested };
      default:
        return change satisfies never;
    }
  }

  #withoutHeld(row: Row): Row {
    if (row.held !== null) this.retired.push(row.held.id);
    return { ...row, held: null };
  }

  #write(instanceId: string, lease: Lease | null, work: (row: Row) => void): Promise<void> {
    this.attempts++;
    return this.#answer(() => {
      if (this.refusal !== null) throw this.refusal;
      if (!this.isCurrent(lease)) throw new FencedError(instanceId);
      const row = this.rows.get(instanceId);
      if (row === undefined) throw new SessionMissingError(instanceId);
      work(row);
    });
  }

  async #answer<T>(work: () => T): Promise<T> {
    await this.#gate?.promise;
    if (this.mood === "away") throw this.#unavailable();
    const result = work();
    if (this.mood === "unanswered") throw this.#unavailable();
    return result;
  }

  #unavailable(): StoreUnavailableError {
    return new StoreUnavailableError(new Error("scripted"), this.recovery);
  }
}

function stored({ session, link, held, foreign, isOrphan }: Row): StoredSession {
  return {
    session,
    link,
    predecessor: held !== null,
    ...(foreign === undefined ? {} : { foreign }),
    ...(isOrphan === undefined ? {} : { isOrphan }),
  };
}

function withKeys(before: ReadonlyMap<string, string>, writes: readonly KeyWrite[]): Map<string, string> {
  const keys = new Map(before);
  for (const { type, id, value } of writes) {
    if (value === null) keys.delete(`${type}/${id}`);
    else keys.set(`${type}/${id}`, value);
  }
  return keys;
}
