/**
 * A table's shape, asked of SQLite: its pragmas, and the words of `CREATE TABLE` for what no pragma tells.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Tables } from "./schema.ts";
import type { CheckShape, ColumnShape, ForeignKeyShape, IndexShape, TableShape } from "./shapes.ts";

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
  hidden: number;
}

/** The shape of a table or a view; null when there is none. */
export async function lookAtSqlite(db: Kysely<Tables>, table: string): Promise<TableShape | null> {
  const { rows: [found] } = await sql<{ type: string; sql: string }>`
    select type, sql from sqlite_schema where name = ${table} and type in ('table', 'view')`.execute(db);
  if (found === undefined) return null;
  const columns = await sql<Column>`select * from pragma_table_xinfo(${table})`.execute(db);
  const { indexes, collations } = await lookAtIndexes(db, table);
  const keyed = columns.rows.filter((column) => column.pk > 0).sort((a, b) => a.pk - b.pk);
  const words = wordsOf(found.sql);
  const triggers = await sql<{ name: string; sql: string }>`
    select name, sql from sqlite_schema where type = 'trigger' and tbl_name = ${table}`.execute(db);
  const views = await sql<{ name: string; sql: string }>`
    select name, sql from sqlite_schema where type = 'view' and name <> ${table}`.execute(db);
  return {
    kind: found.type === "table" ? "table" : "view",
    engine: null,
    columns: new Map(
      columns.rows.map((column) => shapeOf(column, keyed.length === 1, collations))
        .map((shape) => [shape.name, shape]),
    ),
    primaryKey: keyed.map((column) => column.name.toLowerCase()),
    indexes,
    foreignKeys: (await foreignKeysOf(db, table)).map(({ name, other, columns }) => ({
      name,
      table: other,
      columns,
    })),
    referencedBy: await foreignKeysTo(db, table),
    checks: words.includes("check") ? [anyCheck(words)] : [],
    triggers: triggers.rows.map(({ name, sql }) => ({ name, before: !wordsOf(sql).includes("after") })),
    views: views.rows.filter(({ sql }) => wordsOf(sql).includes(table)).map(({ name }) => name),
    partitioned: false,
    untold: UNTOLD.filter(([word]) => words.includes(word)).map(([, what]) => what),
  };
}

/** What a rebuilt table would lose, by the word that gives it away. */
const UNTOLD: readonly (readonly [word: string, what: string])[] = [
  ["check", "a CHECK"],
  ["collate", "a COLLATE"],
  ["references", "a foreign key"],
  ["generated", "a generated column"],
  ["as", "a generated column"],
  ["conflict", "an ON CONFLICT"],
  ["without", "WITHOUT ROWID"],
  ["strict", "STRICT"],
];

/** A statement's words in lower case: names without their quotes; strings and comments left out. */
function wordsOf(text: string): string[] {
  const tokens = text.matchAll(
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[([^\]]*)\]|([A-Za-z_][\w$]*)/g,
  );
  return [...tokens].flatMap(([, double, back, bracket, bare]) => double ?? back ?? bracket ?? bare ?? [])
    .map((word) => word.toLowerCase());
}

function anyCheck(words: readonly string[]): CheckShape {
  return {
    name: null,
    column: null,
    speaksOf: (columns) => [...columns].some((name) => words.includes(name)),
  };
}

function shapeOf(column: Column, isOnlyKey: boolean, collations: ReadonlyMap<string, string>): ColumnShape {
  const name = column.name.toLowerCase();
  const declared = column.type.toLowerCase();
  return {
    name,
    declared,
    type: declared.replace(/\s*\(.*$/, ""),
    length: null,
    fraction: null,
    charset: null,
    collation: collations.get(name) ?? null,
    nullable: column.notnull === 0,
    hasDefault: column.dflt_value !== null,
    // A whole-number primary key counts by itself in SQLite.
    autoIncrement: declared === "integer" && column.pk === 1 && isOnlyKey,
    generated: column.hidden === 2 ? "virtual" : column.hidden === 3 ? "stored" : null,
    onUpdate: false,
    definition: column.dflt_value === null ? "" : `default (${column.dflt_value})`,
  };
}

async function lookAtIndexes(
  db: Kysely<Tables>,
  table: string,
): Promise<{ indexes: IndexShape[]; collations: Map<string, string> }> {
  const { rows } = await sql<
    { name: string; unique: number; partial: number; origin: string; sql: string | null }
  >`
    select l.name as name, l."unique" as "unique", l.partial as partial, l.origin as origin, s.sql as sql
    from pragma_index_list(${table}) l left join sqlite_schema s on s.type = 'index' and s.name = l.name`
    .execute(db);
  const collations = new Map<string, string>();
  const indexes: IndexShape[] = [];
  for (const index of rows) {
    const { rows: parts } = await sql<{ name: string | null; coll: string }>`
      select name, coll from pragma_index_xinfo(${index.name}) where "key" = 1 order by seqno`.execute(db);
    for (const { name, coll } of parts) {
      if (name !== null && index.unique === 1) collations.set(name.toLowerCase(), coll);
    }
    if (index.origin === "pk") continue;
    indexes.push({
      name: index.name,
      unique: index.unique === 1,
      parts: parts.map(({ name }) => ({ column: name?.toLowerCase() ?? null, prefix: null })),
      partial: index.partial === 1,
      hashed: false,
      statement: index.sql,
    });
  }
  return { indexes, collations };
}

interface Reference {
  id: number;
  other: string;
  columnName: string;
  target: string | null;
}

async function foreignKeysOf(
  db: Kysely<Tables>,
  table: string,
): Promise<(ForeignKeyShape & { other: string; targets: (string | null)[] })[]> {
  const { rows } = await sql<Reference>`
    select id, "table" as other, "from" as columnName, "to" as target
    from pragma_foreign_key_list(${table}) order by id, seq`.execute(db);
  return [...Map.groupBy(rows, ({ id }) => id).values()].map((parts) => ({
    name: `(${parts.map(({ columnName }) => columnName).join(", ")})`,
    table,
    other: parts[0]!.other,
    columns: parts.map(({ columnName }) => columnName.toLowerCase()),
    targets: parts.map(({ target }) => target?.toLowerCase() ?? null),
  }));
}

async function foreignKeysTo(db: Kysely<Tables>, table: string): Promise<ForeignKeyShape[]> {
  const { rows } = await sql<{ name: string }>`
    select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`.execute(db);
  const found: ForeignKeyShape[] = [];
  for (const { name } of rows) {
    for (const key of await foreignKeysOf(db, name)) {
      if (key.other.toLowerCase() !== table || name === table) continue;
      found.push({ name: key.name, table: name, columns: key.targets.map((target) => target ?? "id") });
    }
  }
  return found;
}
