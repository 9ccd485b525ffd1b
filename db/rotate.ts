/**
 * Changing the key: everything that an older key sealed is sealed again with the newest.
 *
 * Source: decisions, "Configuration", `CREDENTIALS_KEY`.
 * @module
 */
import { CompiledQuery, type Kysely, sql } from "kysely";
import { CredentialsUnreadableError } from "../domain/ports.ts";
import { purgeErased, writeRows } from "./credentials.ts";
import { connect, type Database } from "./database.ts";
import { beginToWrite } from "./dialect.ts";
import { runGuarded } from "./faults.ts";
import { migrateDatabase } from "./migrate.ts";
import { CREDENTIALS, type Tables } from "./schema.ts";
import { type CredentialKeys, seal, unseal } from "./sealing.ts";

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
  /** False when the signal stopped it; the next run goes on from there. */
  readonly finished: boolean;
}

export interface RotationOptions {
  readonly url: string;
  /** The newest key and those it replaces. */
  readonly keys: CredentialKeys;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Rows in one batch; a batch is one transaction. */
  readonly batchRows?: number;
}

/**
 * Seals everything again with the newest key, in batches. May be interrupted, repeated, and run beside a
 * service that already has the new key.
 * @throws {StoreUnavailableError} when the database cannot be reached; what was done stays done
 */
export async function rotateCredentials(options: RotationOptions): Promise<RotationReport> {
  const { keys, signal, batchRows = 200 } = options;
  const database = await connect(options.url);
  try {
    await migrateDatabase(database);
    const purged = await runGuarded(() => purgeErased(database.db));
    const unreadableInstances = new Set<string>();
    let resealed = 0;
    let unreadable = 0;
    let finished = true;
    let place: Place | undefined = { instanceId: "", kind: "", name: new Uint8Array() };
    while (place !== undefined) {
      // An embedded database answers without the event loop ever turning, and no signal would be heard.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (signal?.aborted) {
        finished = false;
        break;
      }
      const from: Place = place;
      const batch: Batch = await runGuarded(() => reseal(database, keys, from, batchRows));
      resealed += batch.resealed;
      unreadable += batch.unreadable.length;
      for (const instanceId of batch.unreadable) unreadableInstances.add(instanceId);
      place = batch.next;
    }
    return { resealed, unreadable, unreadableInstances: [...unreadableInstances].sort(), purged, finished };
  } finally {
    await database.close();
  }
}

/** The primary key of the row up to which everything is done. */
interface Place {
  readonly instanceId: string;
  readonly kind: string;
  readonly name: Uint8Array;
}

interface Batch {
  readonly resealed: number;
  /** The instance of every row that does not open. */
  readonly unreadable: readonly string[];
  readonly next: Place | undefined;
}

function reseal(database: Database, keys: CredentialKeys, from: Place, batchRows: number): Promise<Batch> {
  return database.db.connection().execute(async (db) => {
    await db.executeQuery(CompiledQuery.raw(beginToWrite(database.dialect)));
    try {
      const batch = await resealLocked(database, db, keys, from, batchRows);
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
  database: Database,
  db: Kysely<Tables>,
  keys: CredentialKeys,
  from: Place,
  batchRows: number,
): Promise<Batch> {
  const query = db.selectFrom(CREDENTIALS).select(["instance_id", "kind", "name", "sealed"])
    .where("key_id", "<>", keys.newestId).where("sealed", "is not", null)
    .where(after(from))
    .orderBy("instance_id").orderBy("kind").orderBy("name").limit(sql.lit(batchRows));
  const rows = await (database.dialect === "mysql" ? query.forUpdate() : query).execute();
  const unreadable: string[] = [];
  const resealed = [];
  for (const row of rows) {
    const place = {
      instanceId: row.instance_id,
      kind: row.kind,
      name: new TextDecoder("utf-8", { ignoreBOM: true }).decode(row.name),
    };
    try {
      const text = unseal(keys, place, row.sealed!);
      resealed.push({ ...row, sealed: seal(keys, place, text), key_id: keys.newestId });
    } catch (error) {
      if (!(error instanceof CredentialsUnreadableError)) throw error;
      unreadable.push(row.instance_id);
    }
  }
  if (resealed.length > 0) await writeRows(database, db, resealed);
  const last = rows.length < batchRows ? undefined : rows.at(-1);
  return {
    resealed: resealed.length,
    unreadable,
    next: last && { instanceId: last.instance_id, kind: last.kind, name: last.name },
  };
}

/** Written out: MySQL finds no range in a comparison of whole rows. */
function after({ instanceId, kind, name }: Place) {
  return sql<
    boolean
  >`(instance_id >= ${instanceId} and (instance_id > ${instanceId} or (instance_id = ${instanceId}
    and (kind > ${kind} or (kind = ${kind} and name > ${name})))))`;
}
