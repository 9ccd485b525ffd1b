/**
 * Where the two dialects differ. Everything else is written once, with Kysely.
 *
 * | statement | SQLite | MySQL and MariaDB | why |
 * | --- | --- | --- | --- |
 * | write, whatever was there | `ON CONFLICT … DO UPDATE SET x = excluded.x` | `ON DUPLICATE KEY UPDATE x = VALUES(x)` | no common form; the row alias of MySQL 8.0.19 is unknown to MariaDB |
 * | insert unless it is there | `ON CONFLICT … DO NOTHING` | `ON DUPLICATE KEY UPDATE k = k` | `INSERT IGNORE` would hide other errors as well |
 * | begin a transaction that reads first | `BEGIN IMMEDIATE` | `START TRANSACTION`, then `SELECT … FOR UPDATE` | SQLite locks the file, InnoDB the rows |
 * | an instant | `2026-01-04T12:34:56.789Z` in TEXT | `2026-01-04 12:34:56.789` in DATETIME(3) | SQLite has no such type; MySQL refuses the `Z` |
 * | now, and a while from now | this machine's clock | `UTC_TIMESTAMP(3)` | the clocks of replicas may differ; an embedded database has none |
 * | lock the rows that are read | nothing | `FOR UPDATE` | SQLite locks the file |
 * | set up a connection | `PRAGMA …` | `SET SESSION …`, every setting that alters a statement's meaning | settings have no common form; a server's defaults and its `init_connect` may be anything |
 * | first question | `SELECT 1` | `SELECT @@max_allowed_packet` | only a server limits a statement's bytes |
 * | migrations: lock | `BEGIN IMMEDIATE` | `GET_LOCK`, its name made in the client | MySQL commits at every `CREATE TABLE`, and has no `SHA1()` any more since 9.6 |
 * | migrations: tables | `migrations/` | `migrations/` | types |
 * | migrations: look at a table | `PRAGMA table_xinfo`, `sqlite_schema` | `information_schema`, `SHOW CREATE TABLE` | no common catalogue |
 * | migrations: alter a client's table | rebuild it in the transaction | one `ALTER TABLE` | SQLite alters next to nothing in place |
 * | compare a text character for character | `COLLATE BINARY` | `CAST(… AS BINARY)` | a client's column may have any collation |
 * | lock a lease while it is read | nothing | `LOCK IN SHARE MODE` | MariaDB does not know MySQL's `FOR SHARE` |
 * | errors at the start | result codes | numbers and SQLSTATEs, `refusals.ts` | MySQL and MariaDB have numbers of their own: a locked account is 3118 and 4151 |
 * | chunk size | 5,000 rows | 5,000 rows and `max_allowed_packet` | SQLite takes 32,766 parameters, MySQL one packet |
 * @module
 */
import { type InsertQueryBuilder, type InsertResult, type RawBuilder, sql } from "kysely";
import type { Instant } from "../domain/session.ts";
import type { Tables } from "./schema.ts";

/** The databases that are supported; `mysql` stands for MariaDB as well. */
export type DialectName = "sqlite" | "mysql";

type Insert<Table extends keyof Tables> = InsertQueryBuilder<Tables, Table, InsertResult>;

/** How this dialect writes an instant. Milliseconds, UTC. */
export function instantFormat(dialect: DialectName): (instant: Instant) => string {
  switch (dialect) {
    case "sqlite":
      return (instant) => new Date(instant).toISOString();
    case "mysql":
      return (instant) => new Date(instant).toISOString().replace("T", " ").replace("Z", "");
    default:
      return dialect satisfies never;
  }
}

/** An instant from now, `aheadMs` milliseconds ahead, by the clock that all who share the database share. */
export function fromNow(dialect: DialectName, aheadMs: number): RawBuilder<string> {
  switch (dialect) {
    case "sqlite":
      return sql<string>`${instantFormat(dialect)(Date.now() + aheadMs)}`;
    case "mysql":
      return sql<string>`utc_timestamp(3) + interval ${aheadMs * 1_000} microsecond`;
    default:
      return dialect satisfies never;
  }
}

/** A column's text, compared character for character whatever the column's own collation is. */
export function exactly(dialect: DialectName, column: string): RawBuilder<string> {
  switch (dialect) {
    case "sqlite":
      return sql<string>`${sql.ref(column)} collate binary`;
    case "mysql":
      return sql<string>`cast(${sql.ref(column)} as binary)`;
    default:
      return dialect satisfies never;
  }
}

/** Ends a question whose rows nobody may change until the transaction is over. */
export function lockingRows(dialect: DialectName): RawBuilder<unknown> {
  switch (dialect) {
    case "sqlite":
      return sql``;
    case "mysql":
      return sql`for update`;
    default:
      return dialect satisfies never;
  }
}

/**
 * Makes an insert write over rows that are there.
 * @param keys the columns of the unique index
 * @param columns the columns to write over
 */
export function upsert<Table extends keyof Tables>(
  dialect: DialectName,
  insert: Insert<Table>,
  keys: readonly (string & keyof Tables[Table])[],
  columns: readonly (string & keyof Tables[Table])[],
): Insert<Table> {
  const assign = (value: (column: string) => unknown) =>
    Object.fromEntries(columns.map((column) => [column, value(column)])) as any;
  switch (dialect) {
    case "sqlite":
      return insert.onConflict((conflict) =>
        conflict.columns(keys as any).doUpdateSet(assign((column) => sql`excluded.${sql.ref(column)}`))
      );
    case "mysql":
      return insert.onDuplicateKeyUpdate(assign((column) => sql`values(${sql.ref(column)})`));
    default:
      return dialect satisfies never;
  }
}

/** Makes an insert leave a row alone that is there. */
export function insertIfAbsent<Table extends keyof Tables>(
  dialect: DialectName,
  insert: Insert<Table>,
  key: string & keyof Tables[Table],
): Insert<Table> {
  switch (dialect) {
    case "sqlite":
      return insert.onConflict((conflict) => conflict.columns([key] as any).doNothing());
    case "mysql":
      return insert.onDuplicateKeyUpdate({ [key]: sql.ref(key) } as any);
    default:
      return dialect satisfies never;
  }
}

/** Begins a transaction that reads what it is going to write. */
export function beginToWrite(dialect: DialectName): string {
  switch (dialect) {
    case "sqlite":
      return "begin immediate";
    case "mysql":
      return "start transaction";
    default:
      return dialect satisfies never;
  }
}
