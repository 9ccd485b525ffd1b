/**
 * A table's shape, asked of MySQL or MariaDB: `information_schema` where both have the same words, the text of
 * `SHOW CREATE TABLE` for what they keep in different places.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Tables } from "./schema.ts";
import type { CheckShape, ColumnShape, ForeignKeyShape, IndexShape, TableShape } from "./shapes.ts";

interface Column {
  name: string;
  declared: string;
  type: string;
  length: number | string | null;
  fraction: number | string | null;
  charset: string | null;
  collation: string | null;
  nullable: string;
  defaultValue: string | null;
  extra: string;
}

interface IndexPart {
  name: string;
  columnName: string | null;
  prefix: number | null;
  nonUnique: number | string;
  kind: string;
}

/** The shape of a table or a view; null when there is none. */
export async function lookAtMysql(db: Kysely<Tables>, table: string): Promise<TableShape | null> {
  const { rows: [found] } = await sql<{ type: string; engine: string | null }>`
    select table_type as type, engine as engine from information_schema.tables
    where table_schema = database() and table_name = ${table}`.execute(db);
  if (found === undefined) return null;
  const kind = found.type === "BASE TABLE"
    ? "table"
    : found.type === "SYSTEM VERSIONED"
    ? "versioned"
    : "view";
  const text = kind === "table" ? await createText(db, table) : "";
  const definitions = definitionsIn(text);
  const columns = await sql<Column>`
    select column_name as name, column_type as declared, data_type as type,
      character_maximum_length as length, datetime_precision as fraction, character_set_name as charset,
      collation_name as collation, is_nullable as nullable, column_default as defaultValue, extra as extra
    from information_schema.columns where table_schema = database() and table_name = ${table}`.execute(db);
  const indexes = await lookAtIndexes(db, table);
  return {
    kind,
    engine: found.engine,
    columns: new Map(
      columns.rows.map((column) => shapeOf(column, definitions)).map((shape) => [shape.name, shape]),
    ),
    primaryKey: indexes.find(({ name }) => name === "PRIMARY")?.parts.map(({ column }) => column ?? "") ?? [],
    indexes: indexes.filter(({ name }) => name !== "PRIMARY"),
    foreignKeys: await foreignKeys(db, table, "from"),
    referencedBy: await foreignKeys(db, table, "to"),
    checks: checksIn(text, definitions),
    triggers: (await sql<{ name: string; timing: string }>`
      select trigger_name as name, action_timing as timing from information_schema.triggers
      where event_object_schema = database() and event_object_table = ${table}`.execute(db)).rows
      .map(({ name, timing }) => ({ name, before: timing.toUpperCase() === "BEFORE" })),
    views: (await sql<{ name: string }>`select table_name as name from information_schema.views
      where table_schema = database() and view_definition like ${`%\`${table}\`%`}`.execute(db)).rows
      .map(({ name }) => name),
    partitioned: /^(\/\*!\d+ | )?PARTITION BY /m.test(text),
    untold: [],
  };
}

async function createText(db: Kysely<Tables>, table: string): Promise<string> {
  const { rows: [row] } = await sql<Record<string, string>>`show create table ${sql.table(table)}`.execute(
    db,
  );
  return String(row?.["Create Table"] ?? "");
}

/** Each column's definition, by its name: a line of its own in the server's own words. */
function definitionsIn(text: string): Map<string, string> {
  const lines = [...text.matchAll(/^ {2}[`"]((?:[^`"]|``|"")+)[`"] (.*?),?$/gm)];
  return new Map(lines.map(([, name = "", definition = ""]) => [name.toLowerCase(), definition]));
}

/** Strings left out: a comment may say anything. */
export function withoutStrings(definition: string): string {
  return definition.replaceAll(/'(?:[^'\\]|''|\\.)*'/g, "''");
}

function checksIn(text: string, definitions: ReadonlyMap<string, string>): CheckShape[] {
  const named = [...text.matchAll(/^ {2}CONSTRAINT [`"](.+?)[`"] CHECK \((.*)$/gm)]
    .filter(([, , clause = ""]) => !/NOT ENFORCED/.test(withoutStrings(clause)))
    .map(([, name = "", clause = ""]): CheckShape => ({ name, column: null, speaksOf: naming(clause) }));
  const inColumns = [...definitions]
    .map(([column, definition]) => [column, withoutStrings(definition)] as const)
    .flatMap(([column, definition]): CheckShape[] => {
      const at = definition.search(/ CHECK \(/i);
      return at < 0 ? [] : [{ name: null, column, speaksOf: naming(definition.slice(at)) }];
    });
  return [...named, ...inColumns];
}

function naming(clause: string): CheckShape["speaksOf"] {
  const bare = withoutStrings(clause).toLowerCase();
  return (columns) => [...columns].some((column) => new RegExp(`\\b${column}\\b`).test(bare));
}

function shapeOf(column: Column, definitions: ReadonlyMap<string, string>): ColumnShape {
  const name = column.name.toLowerCase();
  const type = column.type.toLowerCase();
  const isGenerated = /\bgenerated\b/i.test(column.extra) && !/default_generated/i.test(column.extra);
  return {
    name,
    declared: /^(enum|set)$/.test(type) ? String(column.declared) : String(column.declared).toLowerCase(),
    type,
    length: column.length === null ? null : Number(column.length),
    fraction: column.fraction === null ? null : Number(column.fraction),
    charset: column.charset,
    collation: column.collation,
    nullable: column.nullable === "YES",
    // MariaDB says NULL where MySQL says nothing.
    hasDefault: column.defaultValue !== null && column.defaultValue !== "NULL",
    autoIncrement: /auto_increment/i.test(column.extra),
    generated: !isGenerated ? null : /virtual/i.test(column.extra) ? "virtual" : "stored",
    onUpdate: /on update/i.test(column.extra),
    definition: definitions.get(name) ?? "",
  };
}

async function lookAtIndexes(db: Kysely<Tables>, table: string): Promise<IndexShape[]> {
  const { rows } = await sql<IndexPart>`
    select index_name as name, column_name as columnName, sub_part as prefix, non_unique as nonUnique,
      index_type as kind
    from information_schema.statistics where table_schema = database() and table_name = ${table}
    order by index_name, seq_in_index`.execute(db);
  return [...Map.groupBy(rows, (part) => part.name)].map(([name, parts]) => ({
    name,
    unique: Number(parts[0]?.nonUnique) === 0,
    parts: parts.map(({ columnName, prefix }) => ({
      column: columnName?.toLowerCase() ?? null,
      prefix: prefix === null ? null : Number(prefix),
    })),
    partial: false,
    hashed: parts[0]?.kind === "HASH",
    statement: null,
  }));
}

/** Within the database: to look through all the server's takes as long as it has tables. */
async function foreignKeys(
  db: Kysely<Tables>,
  table: string,
  side: "from" | "to",
): Promise<ForeignKeyShape[]> {
  const [here, there] = side === "from" ? ["table", "referenced_table"] : ["referenced_table", "table"];
  const column = side === "from" ? "column_name" : "referenced_column_name";
  const { rows } = await sql<{ name: string; other: string; columnName: string }>`
    select constraint_name as name, ${sql.ref(`${there}_name`)} as other, ${sql.ref(column)} as columnName
    from information_schema.key_column_usage
    where table_schema = database() and referenced_table_schema = database()
      and ${sql.ref(`${here}_name`)} = ${table}
    order by constraint_name, ordinal_position`.execute(db);
  return [...Map.groupBy(rows, (row) => `${row.other}.${row.name}`).values()].map((parts) => ({
    name: parts[0]!.name,
    table: parts[0]!.other,
    columns: parts.map(({ columnName }) => columnName.toLowerCase()),
  }));
}
