/**
 * The store over SQL: sessions, links, sealed credentials, and logins that wait to be unlinked.
 *
 * `save` without a change of credentials and `saveKeys` are the hot paths: one statement, no transaction.
 * @module
 */
import type { Kysely } from "kysely";
import { FencedError } from "../sessions/ports/store.ts";
import type { Lease } from "../domain/leases.ts";
import type { LeaseStore } from "../cluster/ports.ts";
import type { CredentialsChange, KeyWrite } from "../domain/credentials.ts";
import {
  type CredentialStore,
  type MaybePromise,
  type RetiredLogin,
  type RetiredLoginStore,
  type SessionStore,
  type StoredOutline,
  type StoredSession,
  StoreUnavailableError,
} from "../sessions/ports/store.ts";
import type { Instant, Session } from "../domain/session.ts";
import { chunkRows, type CredentialRow, nameBytes, sealRows, writeRows } from "./credentials.ts";
import type { Database } from "./database.ts";
import type { SessionStatus } from "@session-manager/contract";
import { runGuarded } from "./faults.ts";
import { assertHeld, idIfHeld, isHeld, isRefusedByFence } from "./fence.ts";
import { inLists } from "./in_lists.ts";
import { SqlLeases } from "./leases.ts";
import { SqlKeyRing } from "./key_ring.ts";
import { LoginChanges } from "./login_changes.ts";
import { batchLoader, type ReadOutline, syncReading } from "./outlines.ts";
import { ReadGate } from "./read_gate.ts";
import { SqlRetiredLogins } from "./retired_logins.ts";
import { CREDENTIALS, LOGIN_KIND, SESSIONS, type Tables } from "./schema.ts";
import { type CredentialKeys, unseal } from "./sealing.ts";
import { WriteLanes } from "./write_lanes.ts";
import { SessionRows } from "./session_rows.ts";
import { WriteCheck } from "./write_check.ts";

/** The product's store: all its ports over one database. */
export interface Store extends SessionStore, CredentialStore, RetiredLoginStore, AsyncDisposable {
  /** Waits for what is running and closes the connections. Safe to call twice. */
  close(): Promise<void>;
  /**
   * @throws {StoreUnavailableError} when the database does not answer, or cannot be written
   * @throws {DatabaseUnusableError} when the file is damaged
   */
  ping(): Promise<void>;
  /** Who acts for which session; null where only one process can. */
  readonly leases: LeaseStore | null;
  /** How many sessions have each status; statuses without any are absent. */
  countByStatus(): Promise<Map<SessionStatus, number>>;
  /** How many sessions are disconnected because they were logged out. */
  countLoggedOut(): Promise<number>;
}

/** An instance that there cannot be. */
const NOBODY = "";

/** {@link Store} over a migrated database, which it owns from now on. */
export class SqlStore implements Store {
  readonly leases: LeaseStore | null;
  readonly #database: Database;
  readonly #keys: CredentialKeys;
  readonly #rows: SessionRows;
  readonly #unsettled: Pick<SessionRows, "listUnsettled">;
  readonly #logins: LoginChanges;
  readonly #retired: SqlRetiredLogins;
  /** Null where writes cannot be in the way of reads. */
  readonly #lanes: WriteLanes | null;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  readonly #readOutline: ReadOutline;
  readonly #readGate: ReadGate;
  readonly #writeCheck: WriteCheck;

  constructor(database: Database, keys: CredentialKeys) {
    this.#database = database;
    this.#keys = keys;
    const calls = { ...database, db: database.calls };
    this.#rows = new SessionRows(calls);
    this.#unsettled = new SessionRows(database);
    this.#logins = new LoginChanges(database);
    this.#retired = new SqlRetiredLogins(calls, keys);
    this.#lanes = database.dialect === "mysql" ? new WriteLanes(database.connections) : null;
    const ring = new SqlKeyRing(database, keys, () => Promise.allSettled(this.#running));
    this.leases = this.#lanes === null ? null : new SqlLeases(database, this.#lanes, ring);
    this.#writeCheck = new WriteCheck(database, this.#lanes?.stall);
    this.#readGate = new ReadGate(() => this.#run(() => this.#rows.find(NOBODY)));
    const later = async (instanceId: string) => outlineIn(await this.find(instanceId));
    this.#readOutline = database.syncRead === null
      ? batchLoader(database.calls, (read) => this.#read(read), later)
      : syncReading(database.syncRead, later);
  }

  find(instanceId: string): Promise<StoredSession | null> {
    return this.#read(() => this.#rows.find(instanceId));
  }

  outline(instanceId: string): MaybePromise<StoredOutline | null> {
    return this.#readOutline(instanceId);
  }

  findOrCreate(instanceId: string, now: Instant): Promise<StoredSession> {
    return this.#runInLane(instanceId, async () => {
      const found = await this.#rows.find(instanceId);
      if (found !== null) return found;
      await this.#rows.make(instanceId, now);
      // Read again: another caller may have been first, and the link may be older than the row.
      const created = await this.#rows.find(instanceId);
      if (created === null) {
        throw new StoreUnavailableError(new Error("The new row was deleted immediately."));
      }
      return created;
    });
  }

  listUnsettled(): Promise<StoredSession[]> {
    return this.#run(() => this.#unsettled.listUnsettled());
  }

  save(session: Session, credentials: CredentialsChange, lease: Lease | null = null): Promise<void> {
    return this.#runWrite(session.instanceId, async () => {
      switch (credentials.kind) {
        case "keep":
          return await this.#write(session, lease);
        case "adopt": {
          const { credentials: login, keys, retiredId } = credentials;
          const rows = sealRows(this.#keys, session.instanceId, keys, login);
          return await this.#change(session, lease, (db) => this.#logins.adopt(db, session, rows, retiredId));
        }
        case "confirm":
          // Nearly always nothing is held, and then it costs one look more than `keep`. Nobody but the session's
          // owner could hold one in between.
          if (await this.#logins.heldId(this.#calls, session.instanceId) === null) {
            return await this.#write(session, lease);
          }
          return await this.#change(session, lease, (db) => this.#logins.confirm(db, session.instanceId));
        case "revert":
          return await this.#change(
            session,
            lease,
            (db) => this.#logins.revert(db, session, credentials.retiredId),
          );
        case "erase":
          return await this.#change(session, lease, (db) => this.#logins.erase(db, session.instanceId));
        case "retire": {
          const { retiredId } = credentials;
          return await this.#change(
            session,
            lease,
            (db) => this.#logins.retire(db, session.instanceId, retiredId),
          );
        }
        case "suspend": {
          const { contested } = credentials;
          return await this.#change(session, lease, (db) => this.#logins.suspend(db, session, contested));
        }
        default:
          return credentials satisfies never;
      }
    });
  }

  loadCredentials(instanceId: string): Promise<string | null> {
    return this.#run(async () => {
      const row = await this.#calls.selectFrom(CREDENTIALS).select("sealed")
        .where("instance_id", "=", instanceId).where("kind", "=", LOGIN_KIND).where(
          "name",
          "=",
          nameBytes(""),
        )
        .executeTakeFirst();
      if (row === undefined || row.sealed === null) return null;
      return unseal(this.#keys, { instanceId, kind: LOGIN_KIND, name: "" }, row.sealed);
    });
  }

  loadKeys(instanceId: string, type: string, ids: readonly string[]): Promise<Map<string, string>> {
    return this.#run(async () => {
      const values = new Map<string, string>();
      if (type === LOGIN_KIND) return values; // the login itself is nobody's signal key
      for (const slice of inLists(ids)) {
        const rows = await this.#calls.selectFrom(CREDENTIALS).select(["name", "sealed"])
          .where("instance_id", "=", instanceId).where("kind", "=", type)
          .where("name", "in", slice.map(nameBytes)).where("sealed", "is not", null)
          .execute();
        for (const row of rows) {
          if (row.sealed === null) continue;
          const name = UTF8.decode(row.name);
          values.set(name, unseal(this.#keys, { instanceId, kind: type, name }, row.sealed));
        }
      }
      return values;
    });
  }

  saveKeys(
    instanceId: string,
    keys: readonly KeyWrite[],
    credentials?: string,
    lease: Lease | null = null,
  ): Promise<void> {
    return this.#runWrite(null, async () => {
      const chunks = this.#chunks(sealRows(this.#keys, instanceId, keys, credentials));
      const [only] = chunks;
      if (only === undefined) return;
      if (chunks.length === 1) return await this.#writeChunk(this.#writes, instanceId, only, lease);
      await this.#transaction(lease, async (db) => {
        for (const chunk of chunks) await this.#writeChunk(db, instanceId, chunk, null);
      });
    });
  }

  dueRetiredLogins(limit: number): Promise<RetiredLogin[]> {
    return this.#run(() => this.#retired.dueRetiredLogins(limit));
  }

  findRetiredLogin(id: string): Promise<RetiredLogin | null> {
    return this.#run(() => this.#retired.findRetiredLogin(id));
  }

  claimRetiredLogin(login: RetiredLogin, pauseMs: number): Promise<boolean> {
    return this.#runInLane(null, () => this.#retired.claimRetiredLogin(login, pauseMs));
  }

  loadRetiredLogin(id: string): Promise<string | null> {
    return this.#run(() => this.#retired.loadRetiredLogin(id));
  }

  postponeRetiredLogin(id: string, pauseMs: number): Promise<void> {
    return this.#runInLane(null, () => this.#retired.postponeRetiredLogin(id, pauseMs));
  }

  forgetRetiredLogin(id: string): Promise<void> {
    return this.#runInLane(null, () => this.#retired.forgetRetiredLogin(id));
  }

  countRetiredLogins(): Promise<number> {
    return this.#run(() => this.#retired.countRetiredLogins());
  }

  async ping(): Promise<void> {
    await this.#track(() => runGuarded(() => this.#writeCheck.check()));
  }

  countByStatus(): Promise<Map<SessionStatus, number>> {
    return this.#run(async () => {
      const rows = await this.#calls.selectFrom(SESSIONS)
        .select(["status", (count) => count.fn.countAll().as("count")]).groupBy("status").execute();
      return new Map(rows.map(({ status, count }) => [status as SessionStatus, Number(count)]));
    });
  }

  countLoggedOut(): Promise<number> {
    return this.#run(async () => {
      const { count } = await this.#calls.selectFrom(SESSIONS).select((row) => row.fn.countAll().as("count"))
        .where("status", "=", "disconnected").where("last_error_code", "=", "LOGOUT")
        .executeTakeFirstOrThrow();
      return Number(count);
    });
  }

  close(): Promise<void> {
    return this.#closing ??= Promise.allSettled(this.#running).then(() => this.#database.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #calls(): Kysely<Tables> {
    return this.#database.calls;
  }

  get #writes(): Kysely<Tables> {
    return this.#database.writes;
  }

  #run<T>(operation: () => Promise<T>): Promise<T> {
    return this.#track(async () => {
      try {
        return await runGuarded(operation);
      } catch (error) {
        this.#writeCheck.failed(error);
        throw error;
      }
    });
  }

  /** As {@link #run}, for what a GET waits for. */
  #read<T>(operation: () => Promise<T>): Promise<T> {
    return this.#readGate.run(() => this.#run(operation));
  }

  #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      return Promise.reject(new StoreUnavailableError(new Error("The store is closed.")));
    }
    const running = work().finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /**
   * As {@link #run}, for what may wait for a row that is locked.
   * @param instanceId of the session that is written; null where its row is not
   */
  #runInLane<T>(instanceId: string | null, write: () => Promise<T>): Promise<T> {
    const lanes = this.#lanes;
    const probe = instanceId === null ? undefined : () => this.#rows.probe(instanceId);
    return this.#run(lanes === null ? write : () => lanes.run(write, probe));
  }

  /** As {@link #runInLane}, for what is written in any case. */
  async #runWrite(instanceId: string | null, write: () => Promise<void>): Promise<void> {
    await this.#runInLane(instanceId, write);
    this.#lanes?.stall.answered();
    this.#writeCheck.written();
  }

  /** @throws {FencedError} when the lease is not held any more */
  #transaction(lease: Lease | null, work: (db: Kysely<Tables>) => Promise<void>): Promise<void> {
    return this.#writes.transaction().execute(async (db) => {
      if (lease !== null) await assertHeld(db, lease);
      await work(db);
    });
  }

  #chunks(rows: readonly CredentialRow[]): CredentialRow[][] {
    return chunkRows(rows, this.#database.statementBytes);
  }

  /** One statement, the fence included. */
  async #write(session: Session, lease: Lease | null): Promise<void> {
    if (await this.#rows.update(this.#writes, session, lease)) return;
    // Another replica's by now, or deleted: the transaction tells which.
    await this.#transaction(lease, (db) => this.#rows.rewrite(db, session));
  }

  /** The session, and what becomes of its login. */
  #change(
    session: Session,
    lease: Lease | null,
    change: (db: Kysely<Tables>) => Promise<void>,
  ): Promise<void> {
    return this.#transaction(lease, async (db) => {
      await this.#rows.rewrite(db, session);
      await change(db);
    });
  }

  async #writeChunk(
    db: Kysely<Tables>,
    instanceId: string,
    rows: readonly CredentialRow[],
    lease: Lease | null,
  ): Promise<void> {
    if (rows.some((row) => row.sealed !== null)) {
      return await writeRows(this.#database, db, lease === null ? rows : fenceRows(rows, lease)).catch(
        (error) => {
          throw lease !== null && isRefusedByFence(error) ? new FencedError(instanceId) : error;
        },
      );
    }
    const erasure = db.deleteFrom(CREDENTIALS).where("instance_id", "=", instanceId);
    await (lease === null ? erasure : erasure.where(isHeld(lease)))
      .where((where) =>
        where.or(
          [...Map.groupBy(rows, (row) => row.kind)].map(([kind, group]) =>
            where.and([where("kind", "=", kind), where("name", "in", group.map((row) => row.name))])
          ),
        )
      ).execute();
  }
}

/** The same rows, the first of which cannot be written unless the lease is held. */
function fenceRows(rows: readonly CredentialRow[], lease: Lease): CredentialRow[] {
  return rows.map((row, index) => index === 0 ? { ...row, instance_id: idIfHeld(lease) as any } : row);
}

function outlineIn(stored: StoredSession | null): StoredOutline | null {
  if (stored === null) return null;
  if (stored.foreign !== undefined) throw stored.foreign;
  const { session: { instanceId, status, qr }, isOrphan = false } = stored;
  return { instanceId, status, qr, isOrphan };
}

/** With the byte order mark left alone: it may begin an id. */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
