/**
 * What a table in the database looks like, asked of each dialect's own catalogue.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";

/** A column, as far as adopting a table needs to know it. */
export interface ColumnShape {
  /** In lower case. */
  readonly name: string;
  /** As declared, in lower case: `datetime(3)`, `varchar(64)`. */
  readonly declared: string;
  /** `declared` without its parameters. */
  readonly type: string;
  /** Characters it can hold; null where the type does not say. */
  readonly length: number | null;
  /** Digits of a second's fraction; null where it is no instant, or the dialect does not say. */
  readonly fraction: number | null;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  readonly autoIncrement: boolean;
  readonly generated: boolean;
}

export interface TableShape {
  /** False for a view. */
  readonly isTable: boolean;
  /** MySQL's storage engine; null on SQLite. */
  readonly engine: string | null;
  readonly columns: ReadonlyMap<string, ColumnShape>;
  readonly primaryKey: readonly string[];
  /** The columns of every unique index that covers whole columns and all rows, the primary key aside. */
  readonly uniqueIndexes: readonly (readonly string[])[];
}

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

interface MysqlColumn {
  name: string;
  declared: string;
  type: string;
  length: number | string | null;
  fraction: number | string | null;
  collation: string | null;
  nullable: string;
  defaultValue: string | null;
  extra: string;
}

async function lookAtMysql(db: Kysely<Tables>, table: string): Promise<TableShape | null> {
  const { rows: [found] } = await sql<{ type: string; engine: string | null }>`
    select table_type as type, engine as engine from information_schema.tables
    where table_schema = database() and table_name = ${table}`.execute(db);
  if (found === undefined) return null;
  const columns = await sql<MysqlColumn>`
    select column_name as name, column_type as declared, data_type as type,
      character_maximum_length as length, datetime_precision as fraction, collation_name as collation,
      is_nullable as nullable, column_default as defaultValue, extra as extra
    from information_schema.columns where table_schema = database() and table_name = ${table}`.execute(db);
  const parts = await sql<{ name: string; columnName: string | null; prefix: number | null }>`
    select index_name as name, column_name as columnName, sub_part as prefix
    from information_schema.statistics
    where table_schema = database() and table_name = ${table} and non_unique = 0
    order by index_name, seq_in_index`.execute(db);
  const indexes = Map.groupBy(parts.rows, (part) => part.name);
  const whole = [...indexes].filter(([, index]) =>
    index.every((part) => part.prefix === null && part.columnName)
  );
  const namesOf = (index: typeof parts.rows) => index.map((part) => String(part.columnName).toLowerCase());
  return {
    isTable: found.type === "BASE TABLE",
    engine: found.engine,
    columns: byName(columns.rows.map((column) => ({
      name: column.name.toLowerCase(),
      declared: String(column.declared).toLowerCase(),
      type: column.type.toLowerCase(),
      length: column.length === null ? null : Number(column.length),
      fraction: column.fraction === null ? null : Number(column.fraction),
      collation: column.collation,
      nullable: column.nullable === "YES",
      hasDefault: column.defaultValue !== null,
      autoIncrement: /auto_increment/i.test(column.extra),
      generated: /\bgenerated\b/i.test(column.extra) && !/default_generated/i.test(column.extra),
    }))),
    primaryKey: namesOf(indexes.get("PRIMARY") ?? []),
    uniqueIndexes: whole.filter(([name]) => name !== "PRIMARY").map(([, index]) => namesOf(index)),
  };
}

interface SqliteColumn {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
  hidden: number;
}

async function lookAtSqlite(db: Kysely<Tables>, table: string): Promise<TableShape | null> {
  const { rows: [found] } = await sql<{ type: string }>`
    select type from sqlite_schema where name = ${table} and type in ('table', 'view')`.execute(db);
  if (found === undefined) return null;
  const columns = await sql<SqliteColumn>`select * from pragma_table_xinfo(${table})`.execute(db);
  const indexes = await sql<{ name: string; origin: string }>`
    select name, origin from pragma_index_list(${table}) where "unique" = 1 and partial = 0`.execute(db);
  const collations = new Map<string, string>();
  const uniqueIndexes: string[][] = [];
  for (const index of indexes.rows) {
    const parts = await sql<{ name: string | null; coll: string }>`
      select name, coll from pragma_index_xinfo(${index.name}) where "key" = 1 order by seqno`.execute(db);
    const names = parts.rows.map((part) => String(part.name).toLowerCase());
    parts.rows.forEach((part, at) => collations.set(names[at]!, part.coll));
    if (index.origin !== "pk") uniqueIndexes.push(names);
  }
  const keyed = columns.rows.filter((column) => column.pk > 0).sort((a, b) => a.pk - b.pk);
  return {
    isTable: found.type === "table",
    engine: null,
    columns: byName(columns.rows.map((column) => {
      const name = column.name.toLowerCase();
      const declared = column.type.toLowerCase();
      return {
        name,
        declared,
        type: declared.replace(/\s*\(.*$/, ""),
        length: null,
        fraction: null,
        collation: collations.get(name) ?? null,
        nullable: column.notnull === 0,
        hasDefault: column.dflt_value !== null,
        // A whole-number primary key counts by itself in SQLite.
        autoIncrement: declared === "integer" && column.pk === 1 && keyed.length === 1,
        generated: column.hidden === 2 || column.hidden === 3,
      };
    })),
    primaryKey: keyed.map((column) => column.name.toLowerCase()),
    uniqueIndexes,
  };
}

function byName(columns: readonly ColumnShape[]): Map<string, ColumnShape> {
  return new Map(columns.map((column) => [column.name, column]));
}
