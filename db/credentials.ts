/**
 * The statements on sealed credentials. No transaction and no retry here; the store decides on those.
 * @module
 */
import { Buffer } from "node:buffer";
import type { Insertable, Kysely } from "kysely";
import type { KeyWrite } from "../domain/credentials.ts";
import type { Database } from "./database.ts";
import { upsert } from "./dialect.ts";
import { CREDENTIALS, type CredentialTable, LOGIN_KIND, type Tables } from "./schema.ts";
import { type CredentialKeys, seal } from "./sealing.ts";

/** A sealed entry, as it is written. */
export type CredentialRow = Insertable<CredentialTable>;

/** Rows in one statement at most; SQLite takes 32,766 parameters, and a row has five. */
const CHUNK_ROWS = 5_000;
/** Bytes of a row in a statement, its sealed text apart: names, quotes, the key's id. */
const ROW_BYTES = 1_024;

/** The bytes under which a key's id is stored. */
export function nameBytes(id: string): Buffer {
  return Buffer.from(id, "utf8");
}

/**
 * The rows of a login and its keys, sealed; erased keys as rows without a seal. The last write of a key
 * counts. In the order of the primary key, so that two writers lock rows in the same order.
 * @throws {RangeError} when a key's type is not one, or a text is not well-formed
 */
export function sealRows(
  keys: CredentialKeys,
  instanceId: string,
  writes: readonly KeyWrite[],
  credentials?: string,
): CredentialRow[] {
  const rows = new Map<string, CredentialRow>();
  const add = (kind: string, name: string, text: string | null) => {
    rows.set(`${kind}\0${name}`, {
      instance_id: instanceId,
      kind,
      name: nameBytes(name),
      sealed: text === null ? null : seal(keys, { instanceId, kind, name }, text),
      key_id: text === null ? null : keys.sealingId,
    });
  };
  if (credentials !== undefined) add(LOGIN_KIND, "", credentials);
  for (const { type, id, value } of writes) {
    if (type === "" || type === LOGIN_KIND) throw new RangeError("A signal key has a type of its own.");
    if (!id.isWellFormed()) throw new RangeError("Only a well-formed id can be stored.");
    add(type, id, value);
  }
  return [...rows].sort(([a], [b]) => a < b ? -1 : 1).map(([, row]) => row);
}

/** Splits rows into as few statements as the database takes; nearly always one. */
export function chunkRows(rows: readonly CredentialRow[], statementBytes: number): CredentialRow[][] {
  const chunks: CredentialRow[][] = [];
  let chunk: CredentialRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = ROW_BYTES + 2 * (row.sealed?.length ?? 0); // two characters a byte in a statement's text
    if (chunk.length === CHUNK_ROWS || (chunk.length > 0 && bytes + size > statementBytes)) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

/** Writes one chunk over whatever is there: one statement. */
export async function writeRows(
  { dialect }: Database,
  db: Kysely<Tables>,
  rows: readonly CredentialRow[],
): Promise<void> {
  const insert = db.insertInto(CREDENTIALS).values(rows);
  await upsert(dialect, insert, ["instance_id", "kind", "name"], ["sealed", "key_id"]).execute();
}

/** Erases everything an instance has. */
export async function eraseAll(db: Kysely<Tables>, instanceId: string): Promise<void> {
  await db.deleteFrom(CREDENTIALS).where("instance_id", "=", instanceId).execute();
}

/**
 * Removes the rows of keys that were erased in the same statement in which others were written. Looks first,
 * without a lock: a deletion that looks for itself would wait for every row that somebody else has locked.
 * @returns how many
 */
export async function purgeErased(db: Kysely<Tables>): Promise<number> {
  const erased = await db.selectFrom(CREDENTIALS).select("instance_id").distinct()
    .where("sealed", "is", null).execute();
  let purged = 0n;
  for (const { instance_id } of erased) {
    const { numDeletedRows } = await db.deleteFrom(CREDENTIALS)
      .where("instance_id", "=", instance_id).where("sealed", "is", null).executeTakeFirst();
    purged += numDeletedRows;
  }
  return Number(purged);
}
