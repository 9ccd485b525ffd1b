/**
 * What a version of the service may rely on: every row that the tables of its schema allow, in all their columns. Read
 * from the server's own catalogue, so that a table of a later migration is covered without anybody thinking of it.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { TestSession } from "../../lab/databases/server.ts";

interface Column {
  readonly name: string;
  /** `varchar`. */
  readonly type: string;
  /** `varchar(64)`. */
  readonly declared: string;
  readonly length: number | null;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
}

interface Table {
  readonly name: string;
  /** But for those that the server fills. */
  readonly columns: readonly Column[];
  /** The columns of each unique index. */
  readonly keys: readonly (readonly string[])[];
}

/** The product's tables as a version knows them. */
export type Schema = readonly Table[];

/** A row as the statement that inserts it says it: each column's literal. */
type Row = Readonly<Record<string, string>>;

/** As every connection of the product has it. */
const STRICT = "set sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'";
const LEDGER = "ll_whatsapp_migrations";

/** The schema as it is. */
export async function readSchema(session: TestSession): Promise<Schema> {
  const columns = await session.run(
    "select table_name as tab, column_name as name, data_type as type, column_type as declared, " +
      "character_maximum_length as length, is_nullable as nullable, column_default as standard, extra " +
      `from information_schema.columns where table_schema = database() and table_name <> '${LEDGER}' ` +
      "order by table_name, ordinal_position",
  );
  const parts = await session.run(
    "select table_name as tab, index_name as name, column_name as part from information_schema.statistics " +
      "where table_schema = database() and non_unique = 0 order by table_name, index_name, seq_in_index",
  );
  return [...Map.groupBy(columns, ({ tab }) => String(tab))].map(([name, all]) => ({
    name,
    columns: all.filter(({ extra }) => !/auto_increment|generated/i.test(String(extra))).map((row) => ({
      name: String(row.name),
      type: String(row.type),
      declared: String(row.declared),
      length: row.length === null ? null : Number(row.length),
      nullable: row.nullable === "YES",
      hasDefault: row.standard !== null && row.standard !== "NULL",
    })),
    keys: [...Map.groupBy(parts.filter(({ tab }) => tab === name), (row) => row.name).values()]
      .map((key) => key.map(({ part }) => String(part)))
      .filter((key) =>
        key.every((part) => all.some((row) => row.name === part && !/auto/.test(String(row.extra))))
      ),
  }));
}

/** Every table's definition, for comparing one database with another. */
export async function definitionsOf(session: TestSession): Promise<Record<string, string>> {
  const definitions: Record<string, string> = {};
  for (
    const { name } of await session.run(
      "select table_name as name from information_schema.tables " +
        "where table_schema = database() order by table_name",
    )
  ) {
    const [row] = await session.run(`show create table ${name}`);
    definitions[String(name)] = String(row!["Create Table"]).replace(/ AUTO_INCREMENT=\d+/, "");
  }
  return definitions;
}

/** Fills every table with the rows that it allows. */
export async function fill(session: TestSession, schema: Schema): Promise<void> {
  await session.run(STRICT);
  for (const table of schema) for (const row of rowsOf(table, 0)) await session.run(insert(table, row));
}

/** Every row, as this schema's version reads it. */
export async function read(session: TestSession, schema: Schema): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const { name, columns } of schema) {
    const rows = await session.run(`select ${columns.map(({ name }) => name).join(", ")} from ${name}`);
    found[name] = rows.map((row) => JSON.stringify(Object.values(row).map(plain))).sort();
  }
  return found;
}

/**
 * Goes through what this schema's version may do with its tables: each row that they allow is inserted, read back as it
 * was written, inserted over, changed and removed. Nothing of it remains.
 * @throws what the server throws, or an assertion, where one of these is not as it was
 */
export async function assertServes(session: TestSession, schema: Schema): Promise<void> {
  await session.run(STRICT);
  await session.run("start transaction");
  try {
    for (const table of schema) await assertTableServes(session, table);
  } finally {
    await session.run("rollback");
  }
}

async function assertTableServes(session: TestSession, table: Table): Promise<void> {
  const { name, columns, keys } = table;
  const isKey = (column: Column) => keys.some((key) => key.includes(column.name));
  const rows = rowsOf(table, 10);
  for (const row of rows) await session.run(insert(table, row));
  for (const row of rows) {
    const literal = (column: Column) => row[column.name] ?? "null";
    const are = (some: readonly Column[]) =>
      some.map((one) => `${one.name} <=> ${literal(one)}`).join(" and ");
    const parts = columns.filter(isKey);
    const which = are(parts.length > 0 ? parts : columns);
    const told = columns.filter((column) => column.name in row || !column.hasDefault);
    const assertThere = async (times: number, what: string) => {
      const [found] = await session.run(`select count(*) as n from ${name} where ${are(told)}`);
      assert.equal(Number(found?.["n"]), times, `${name}: ${what}`);
    };
    await assertThere(1, "a row is not read as it was written");
    const others = columns.filter((column) => column.name in row && !isKey(column));
    const [first = columns[0]!] = others;
    const over = (others.length > 0 ? others : [first]).map(({ name }) => `${name} = values(${name})`);
    if (parts.length > 0) {
      await session.run(`${insert(table, row)} on duplicate key update ${over.join(", ")}`);
      await assertThere(1, "a row that is inserted over is another one");
    }
    if (row !== rows[0]) continue;
    if (parts.length > 0) {
      for (const column of others) {
        for (const value of [...valuesOf(column, 30), literal(column)]) {
          await session.run(`update ${name} set ${column.name} = ${value} where ${which}`);
        }
      }
      await assertThere(1, "a row is not as it was changed");
    }
  }
  for (const row of rows) {
    const parts = columns.filter((column) => keys.length === 0 || isKey(column));
    const which = parts.map((column) => `${column.name} <=> ${row[column.name] ?? "null"}`).join(" and ");
    await session.run(`delete from ${name} where ${which}`);
    const [left] = await session.run(`select count(*) as n from ${name} where ${which}`);
    assert.equal(Number(left?.["n"]), 0, `${name}: a row was not removed`);
  }
}

function insert({ name }: Table, row: Row): string {
  return `insert into ${name} (${Object.keys(row).join(", ")}) values (${Object.values(row).join(", ")})`;
}

/**
 * Rows with as much in each column as it holds, that differ in no more than their unique indexes demand, in every way in
 * which they may; and one with as little as there may be.
 * @param from rows of another `from`, ten or more away, share no key with these
 */
function rowsOf({ columns, keys }: Table, from: number): Row[] {
  const whole = (changed: ReadonlySet<string>, to: number): Row =>
    Object.fromEntries(columns.map((column) => {
      const values = valuesOf(column, from + (changed.has(column.name) ? to : 0));
      return [column.name, values[0]!];
    }));
  const ways = keys.reduce<string[][]>(
    (all, key) => all.flatMap((chosen) => key.map((part) => [...chosen, part])),
    [[]],
  );
  const least = Object.fromEntries(
    columns.filter(({ nullable, hasDefault }) => !nullable && !hasDefault)
      .map((column) => [column.name, valuesOf(column, from + 9).at(-1)!] as const),
  );
  const rows = [whole(new Set(), 0), ...ways.map((way, n) => whole(new Set(way), n + 1)), least];
  // Two ways may make the same row.
  return [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];
}

/** More than fits into the next smaller type. */
const LONG = 66_000;

/** Literals of this column: the most that it holds, and the least; different ones for different `n`. */
function valuesOf({ type, declared, length, nullable }: Column, n: number): string[] {
  const none = nullable ? ["null"] : [];
  const letter = String.fromCharCode("a".charCodeAt(0) + n % 26);
  const size = Math.min(length ?? LONG, LONG);
  switch (type) {
    case "varchar":
    case "char":
    case "text":
    case "mediumtext":
    case "longtext":
      return [`'${letter.repeat(size)}'`, `'${letter}'`, ...none];
    case "varbinary":
    case "binary":
    case "blob":
    case "mediumblob":
    case "longblob":
      return [
        `x'${(255 - n).toString(16).padStart(2, "0").repeat(size)}'`,
        `x'${letter.charCodeAt(0).toString(16)}'`,
        ...none,
      ];
    case "enum": {
      const names = [...declared.matchAll(/'((?:[^']|'')*)'/g)].map(([literal]) => literal);
      return [...names.slice(n % names.length), ...names.slice(0, n % names.length), ...none];
    }
    case "datetime":
      return [
        `'9999-12-31 23:59:${String(59 - n).padStart(2, "0")}.${"9".repeat(fraction(declared))}'`,
        `'1970-01-01 00:00:${String(n).padStart(2, "0")}'`,
        ...none,
      ];
    case "tinyint":
    case "smallint":
    case "int":
    case "bigint": {
      const bits = { tinyint: 8n, smallint: 16n, int: 32n, bigint: 64n }[type];
      const isUnsigned = /unsigned/.test(declared);
      const most = 2n ** (isUnsigned ? bits : bits - 1n) - 1n;
      const least = isUnsigned ? 0n : -(2n ** (bits - 1n));
      return [String(most - BigInt(n)), String(least + BigInt(n)), ...none];
    }
    default:
      throw new Error(`There are no values for ${declared}: say here which there are.`);
  }
}

function fraction(declared: string): number {
  return Number(/\((\d)\)/.exec(declared)?.[1] ?? 0);
}

function plain(value: unknown): unknown {
  return Buffer.isBuffer(value) ? value.toString("hex") : value;
}
