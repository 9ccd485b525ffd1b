/**
 * What a statement of the schema makes, and whether that is there already: because a migration was broken off after it, or
 * because somebody has run it by hand.
 *
 * MySQL has no `IF NOT EXISTS` for a column and none for an index, MariaDB has both; so it is looked for here. What a
 * statement makes first stands for all that it makes: each is carried out as a whole or not at all.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";
import { hasTable } from "./table_shape.ts";

/** Something of the schema that has a name. */
export type Made =
  | { readonly kind: "table"; readonly table: string }
  | { readonly kind: "column" | "index"; readonly table: string; readonly name: string };

const NEW_TABLE = /^create\s+table\s+(?:if\s+not\s+exists\s+)?(\w+)/i;
const NEW_INDEX = /^create\s+(?:unique\s+)?index\s+(?:if\s+not\s+exists\s+)?(\w+)\s+on\s+(\w+)/i;
const ADDED_INDEX = /^alter\s+table\s+(\w+)\s+add\s+(?:unique\s+)?(?:key|index)\s+(\w+)/i;
const ADDED_COLUMN = /^alter\s+table\s+(\w+)\s+add\s+column\s+(\w+)/i;

/** What a statement makes first; null where it makes nothing that has a name. */
export function madeBy(statement: string): Made | null {
  const [, made] = NEW_TABLE.exec(statement) ?? [];
  if (made !== undefined) return { kind: "table", table: made };
  const [, index, of] = NEW_INDEX.exec(statement) ?? [];
  if (index !== undefined && of !== undefined) return { kind: "index", table: of, name: index };
  for (const [kind, form] of [["index", ADDED_INDEX], ["column", ADDED_COLUMN]] as const) {
    const [, table, name] = form.exec(statement) ?? [];
    if (table !== undefined && name !== undefined) return { kind, table, name };
  }
  return null;
}

/** Whether what this statement makes is there. */
export async function isMade(
  database: Pick<Database, "dialect">,
  db: Kysely<Tables>,
  statement: string,
): Promise<boolean> {
  const made = madeBy(statement);
  if (made === null) return false;
  if (made.kind === "table") return await hasTable(database, db, made.table);
  const { rows } = await (database.dialect === "mysql" ? askMysql(made) : askSqlite(made)).execute(db);
  return rows.length > 0;
}

function askMysql({ kind, table, name }: Exclude<Made, { kind: "table" }>) {
  return kind === "column"
    ? sql`select 1 from information_schema.columns
      where table_schema = database() and table_name = ${table} and column_name = ${name}`
    : sql`select 1 from information_schema.statistics
      where table_schema = database() and table_name = ${table} and index_name = ${name}`;
}

function askSqlite({ kind, table, name }: Exclude<Made, { kind: "table" }>) {
  return kind === "column"
    ? sql`select 1 from pragma_table_xinfo(${table}) where name = ${name}`
    : sql`select 1 from sqlite_schema where type = 'index' and tbl_name = ${table} and name = ${name}`;
}
