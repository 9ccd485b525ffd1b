/**
 * What the Hub is told of a session, read as cheaply as each dialect can: SQLite answers synchronously, MySQL answers
 * for many in one statement. With every column, through every layer, one at a time, the same took more than
 * three times the processor time.
 * @module
 */
import { type CompiledQuery, type Kysely, sql } from "kysely";
import type { MaybePromise, StoredOutline } from "../sessions/ports/store.ts";
import { BatchLoader, type BatchLoaderBounds } from "./batch_loader.ts";
import { orphans } from "./leases.ts";
import { outlineOf, type OutlineRow } from "./rows.ts";
import { SESSIONS, type Tables } from "./schema.ts";
import type { SyncRead } from "./sqlite.ts";

/** Reads an outline; null when there is no such session. */
export type ReadOutline = (instanceId: string) => MaybePromise<StoredOutline | null>;
type ReadLater = (instanceId: string) => Promise<StoredOutline | null>;

const COLUMNS = [
  "instance_id",
  "status",
  "qr_status",
  "qr_string",
  "qr_generated_at",
  "qr_expires_at",
] as const satisfies readonly (keyof OutlineRow)[];

/**
 * Synchronously, over SQLite.
 * @param later takes over where the file cannot be read at this moment, for it can wait and try again
 */
export function syncReading(syncRead: (text: string) => SyncRead, later: ReadLater): ReadOutline {
  const text = `select ${COLUMNS.join(", ")} from ${SESSIONS} where instance_id = ?`;
  let look: SyncRead | undefined;
  return (instanceId) => {
    try {
      const row = (look ??= syncRead(text))(instanceId);
      if (row !== undefined) return row === null ? null : outlineOf(rowOf(row));
    } catch {
      // The asynchronous read tells what went wrong.
    }
    return later(instanceId);
  };
}

function rowOf(
  [instance_id, status, qr_status, qr_string, qr_generated_at, qr_expires_at]: readonly unknown[],
) {
  return { instance_id, status, qr_status, qr_string, qr_generated_at, qr_expires_at } as OutlineRow;
}

/**
 * Sessions that travel together at most: as many again are the parameters for their leases. One statement at a
 * time, as long as they are answered: with two, each is for half as many sessions, and a read takes a quarter more
 * of the processor's time.
 */
const COMPANY: BatchLoaderBounds = { together: 32, patienceMs: 20, underWay: 4 };

/** A session's columns, or the name of one that is an orphan. */
type Row = OutlineRow & { readonly orphan: null } | { readonly instance_id: null; readonly orphan: string };
interface Found {
  readonly row: OutlineRow;
  readonly isOrphan: boolean;
}

/**
 * Together with others, over MySQL.
 * @param run carries out a statement, again where that is right
 * @param alone takes over for a name that the table compares in another way than this code
 */
export function batchLoader(
  db: Kysely<Tables>,
  run: <T>(work: () => Promise<T>) => Promise<T>,
  alone: ReadLater,
): ReadOutline {
  const queries = new Map<number, CompiledQuery<Row>>();
  const read = async (instanceIds: readonly string[]): Promise<Map<string, Found>> => {
    // Filled up to a power of two: few enough statements that each stays prepared on its connections.
    const size = 2 ** Math.ceil(Math.log2(instanceIds.length));
    const ids = Array.from({ length: size }, (_, i) => instanceIds[i] ?? instanceIds[0]!);
    const query = queries.get(size) ?? compile(db, ids);
    queries.set(size, query);
    const { rows } = await run(() => db.executeQuery<Row>({ ...query, parameters: [...ids, ...ids] }));
    return byName(rows);
  };
  const together = new BatchLoader(read, COMPANY);
  return async (instanceId) => {
    const found = await together.find(instanceId);
    if (found === null) return await alone(instanceId);
    const outline = outlineOf(found.row);
    return found.isOrphan ? { ...outline, isOrphan: true } : outline;
  };
}

/** By value on both sides, and in columns of their own: an adopted table may compare in another collation. */
function compile(db: Kysely<Tables>, ids: readonly string[]): CompiledQuery<Row> {
  const columns = sql.join(COLUMNS.map((column) => sql.ref(column)));
  const nothing = sql.join(COLUMNS.map(() => sql`null`));
  return sql<Row>`select ${columns}, null as orphan from ${sql.table(SESSIONS)} where instance_id in (${
    sql.join(ids)
  })
    union all select ${nothing}, l.instance_id ${orphans(ids)}`.compile(db);
}

function byName(rows: readonly Row[]): Map<string, Found> {
  const orphaned = new Set(rows.map(({ orphan }) => orphan));
  const found = new Map<string, Found>();
  for (const row of rows) {
    if (row.instance_id === null) continue;
    found.set(row.instance_id, { row, isOrphan: orphaned.has(row.instance_id) });
  }
  return found;
}
