/**
 * What a table in the database looks like, asked of each dialect's own catalogue.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Database } from "./database.ts";
import { lookAtMysql } from "./mysql_shape.ts";
import type { Tables } from "./schema.ts";
import type { IndexShape, TableShape } from "./shapes.ts";
import { lookAtSqlite } from "./sqlite_shape.ts";

/** The shape of a table; null when there is none. */
export function lookAtTable(
  { dialect }: Pick<Database, "dialect">,
  db: Kysely<Tables>,
  table: string,
): Promise<TableShape | null> {
  switch (dialect) {
    case "sqlite":
      return lookAtSqlite(db, table);
    case "mysql":
      return lookAtMysql(db, table);
    default:
      return dialect satisfies never;
  }
}

/** Whether there is a table or a view of this name. */
export async function hasTable(
  { dialect }: Pick<Database, "dialect">,
  db: Kysely<Tables>,
  table: string,
): Promise<boolean> {
  const { rows } = dialect === "mysql"
    ? await sql`select 1 from information_schema.tables
      where table_schema = database() and table_name = ${table}`.execute(db)
    : await sql`select 1 from sqlite_schema where name = ${table} and type in ('table', 'view')`.execute(db);
  return rows.length > 0;
}

/**
 * The columns of an index that covers whole columns of all rows; null where it covers a part of one, an expression,
 * or some of the rows alone.
 */
export function wholeColumns({ parts, partial }: IndexShape): string[] | null {
  if (partial) return null;
  const columns = parts.map(({ column, prefix }) => prefix === null ? column : null);
  return columns.every((column) => column !== null) ? columns : null;
}
