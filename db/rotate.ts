/**
 * Changing the key: from now on the newest seals, and everything that an older key sealed is sealed again with it.
 *
 * Over a server, whose replicas are restarted one after the other, nothing is sealed with a key before a rotation says
 * so, and it says so only while every replica that is present has that key: `key_ring.ts`. An embedded database has one
 * process, which seals with its first key from its start on; it says which keys it has where it claims the file.
 *
 * Source: decisions, "Configuration", `CREDENTIALS_KEY`.
 * @module
 */
import { CompiledQuery, type Kysely, sql } from "kysely";
import { CredentialsUnreadableError } from "../sessions/ports/store.ts";
import { purgeErased } from "./credentials.ts";
import { connect, type Database } from "./database.ts";
import { beginToWrite, lockingRows, upsert } from "./dialect.ts";
import { runGuarded } from "./faults.ts";
import { isSealingAlone, KeysDisagreeError, whyNotSealing } from "../domain/key_ring.ts";
import { lockKeys, noteKeys, readRing, setSealing } from "./key_ring.ts";
import { migrateDatabase } from "./migrate.ts";
import { CREDENTIAL_KEYS, type Tables } from "./schema.ts";
import { rowsAfter, SEALED_TABLES, type SealedRow, type SealedTable } from "./sealed_tables.ts";
import { type CredentialKeys, seal, unseal } from "./sealing.ts";
import { keysOfServer } from "./sole_process.ts";

/** What a rotation did. */
export interface RotationReport {
  /** Rows sealed again. */
  readonly resealed: number;
  /** Rows that none of the keys opens; they are left as they are. */
  readonly unreadable: number;
  /** The instances they belong to. */
  readonly unreadableInstances: readonly string[];
  /** Rows of erased keys that were removed. */
  readonly purged: number;
  /**
   * False when the signal stopped it, or a service goes on sealing with an older key; the next run goes on from
   * there.
   */
  readonly finished: boolean;
}

/** What is sealed anew, with which keys, and in which portions. */
export interface RotationOptions {
  readonly url: string;
  /** The newest key and those it replaces. */
  readonly keys: CredentialKeys;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Rows in one batch; a batch is one transaction. */
  readonly batchRows?: number;
  /** How long replicas may take to go on to the newest key, in milliseconds. */
  readonly patienceMs?: number;
}

/** How long replicas may take to go on to the newest key: they look every second, and finish what they have begun. */
const PATIENCE_MS = 30_000;
/** How often it is looked whether they have, in milliseconds. */
const LOOK_MS = 100;

/** Rows move between the tables while the rotation goes over them, and so it goes over them again: so often at most. */
const ROUNDS = 5;

/**
 * Seals everything again with the newest key, in batches. May be interrupted, repeated, and run beside replicas
 * that already have the new key.
 * @throws {KeysDisagreeError} when a replica is present that has not, or a
 *   service; nothing is altered
 * @throws {StoreUnavailableError} when the database cannot be reached; what was done stays done
 */
export async function rotateCredentials(options: RotationOptions): Promise<RotationReport> {
  const { keys, signal, batchRows = 200, patienceMs = PATIENCE_MS } = options;
  const served = keysOfServer(options.url);
  if (served !== null && !served.has(keys.newestId)) {
    throw new KeysDisagreeError(
      "The service that runs over this database file cannot open what the newest key of CREDENTIALS_KEY seals; " +
        "restart it with this CREDENTIALS_KEY first, then run this again.",
    );
  }
  const database = await connect(options.url);
  try {
    await migrateDatabase(database);
    if (database.dialect === "mysql") await goOnToNewest(database, keys, patienceMs, signal);
    const purged = await runGuarded(() => purgeErased(database.db));
    let resealed = 0;
    for (let round = 1;; round++) {
      const unreadable: string[] = [];
      for await (const batch of batches(database, keys, batchRows, signal)) {
        resealed += batch.resealed;
        unreadable.push(...batch.unreadable);
      }
      const isDone = await runGuarded(() => countOlder(database.db, keys)) <= unreadable.length &&
        await runGuarded(() => isLeftAtThat(database, keys));
      // A service that still seals with an older key would never let it come to an end.
      if (!isDone && !signal?.aborted && round < ROUNDS) continue;
      const unreadableInstances = [...new Set(unreadable)].sort();
      return { resealed, unreadable: unreadable.length, unreadableInstances, purged, finished: isDone };
    }
  } finally {
    await database.close();
  }
}

/**
 * Has the newest key seal from now on, and waits until nobody has anything under way that another one sealed. Whoever has
 * by the end of the patience is found out by what is left in the end.
 */
async function goOnToNewest(
  { db }: Database,
  { newestId, ids }: CredentialKeys,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  await runGuarded(() =>
    db.transaction().execute(async (transaction) => {
      // A replica that comes now is found here, or finds the new key.
      await lockKeys(transaction);
      const ring = await readRing(transaction);
      const why = whyNotSealing(ring, newestId);
      if (why !== null) throw new KeysDisagreeError(why);
      // Before the first replica that says which keys are in use, any of these may be.
      if (ring.sealing === null) await noteKeys(transaction, ids);
      if (ring.sealing !== newestId) await setSealing(transaction, newestId);
    })
  );
  const until = performance.now() + patienceMs;
  while (performance.now() < until && !signal?.aborted) {
    if (isSealingAlone(await runGuarded(() => readRing(db)), newestId)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Notes which keys are in use once everything has been sealed again that could be.
 * @returns false where a replica may be about to write what an older key has sealed
 */
async function isLeftAtThat({ db, dialect }: Database, { newestId }: CredentialKeys): Promise<boolean> {
  if (dialect !== "mysql") return true;
  return await db.transaction().execute(async (transaction) => {
    await lockKeys(transaction);
    if (!isSealingAlone(await readRing(transaction), newestId)) return false;
    const tables = SEALED_TABLES.map(({ table }) =>
      sql`select key_id from ${sql.table(table)} where key_id is not null and key_id <> ${newestId}`
    );
    const { rows } = await sql<{ key_id: string }>`${sql.join(tables, sql` union `)}`.execute(transaction);
    await transaction.deleteFrom(CREDENTIAL_KEYS).where("key_id", "not in", ["", newestId])
      .execute();
    await noteKeys(transaction, rows.map(({ key_id }) => key_id));
    return true;
  });
}

interface Batch {
  readonly resealed: number;
  /** The instance of every row that does not open. */
  readonly unreadable: readonly string[];
  /** The last row looked at; undefined when no more follow. */
  readonly last: SealedRow | undefined;
}

/** Goes once over every table, and ends early when the signal says so. */
async function* batches(
  database: Database,
  keys: CredentialKeys,
  batchRows: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch> {
  for (const table of SEALED_TABLES) {
    let last: SealedRow | undefined;
    do {
      // An embedded database answers without the event loop ever turning, and no signal would be heard.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (signal?.aborted) return;
      const from = last;
      const batch = await runGuarded(() => reseal(database, table, keys, from, batchRows));
      last = batch.last;
      yield batch;
    } while (last !== undefined);
  }
}

/**
 * How many rows an older key has sealed, in all tables at one moment: a login that moved behind the rotation's
 * back, from a table that was still to come into one that was done, is among them.
 */
async function countOlder(db: Kysely<Tables>, { newestId }: CredentialKeys): Promise<number> {
  const counts = SEALED_TABLES.map(({ table }) =>
    sql`(select count(*) from ${sql.table(table)} where key_id <> ${newestId} and sealed is not null)`
  );
  const { rows: [row] } = await sql<{ older: unknown }>`select ${sql.join(counts, sql` + `)} as older`
    .execute(db);
  return Number(row?.older);
}

function reseal(
  database: Database,
  table: SealedTable,
  keys: CredentialKeys,
  from: SealedRow | undefined,
  batchRows: number,
): Promise<Batch> {
  return database.db.connection().execute(async (db) => {
    await db.executeQuery(CompiledQuery.raw(beginToWrite(database.dialect)));
    try {
      const batch = await resealLocked(database, db, table, keys, from, batchRows);
      await db.executeQuery(CompiledQuery.raw("commit"));
      return batch;
    } catch (error) {
      await db.executeQuery(CompiledQuery.raw("rollback"));
      throw error;
    }
  });
}

/** Locked, so that a key written by the service in between is not overwritten with what it was. */
async function resealLocked(
  { dialect }: Database,
  db: Kysely<Tables>,
  sealedTable: SealedTable,
  keys: CredentialKeys,
  from: SealedRow | undefined,
  batchRows: number,
): Promise<Batch> {
  const { table, primaryKey, placeOf } = sealedTable;
  const { rows } = await sql<SealedRow>`select * from ${sql.table(table)}
    where key_id <> ${keys.newestId} and sealed is not null and ${rowsAfter(sealedTable, from)}
    order by ${sql.join(primaryKey.map((column) => sql.ref(column)))} limit ${sql.lit(batchRows)}
    ${lockingRows(dialect)}`.execute(db);
  const unreadable: string[] = [];
  const resealed: SealedRow[] = [];
  for (const row of rows) {
    try {
      const place = placeOf(row);
      const text = unseal(keys, place, row.sealed!);
      resealed.push({ ...row, sealed: seal(keys, place, text), key_id: keys.newestId });
    } catch (error) {
      if (!(error instanceof CredentialsUnreadableError)) throw error;
      unreadable.push(row.instance_id);
    }
  }
  if (resealed.length > 0) {
    const insert = db.insertInto(table).values(resealed as any);
    await upsert(dialect, insert, primaryKey as any, ["sealed", "key_id"]).execute();
  }
  return {
    resealed: resealed.length,
    unreadable,
    last: rows.length < batchRows ? undefined : rows.at(-1),
  };
}
