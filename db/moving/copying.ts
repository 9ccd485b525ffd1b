/**
 * Copies rows from one database into another, and compares what is there then.
 * @module
 */
import { sql } from "kysely";
import type { Database } from "../database.ts";
import { upsert } from "../dialect.ts";
import { DatabaseUnusableError } from "../errors.ts";
import { runGuarded } from "../faults.ts";
import { refusing } from "../refusals.ts";
import { rowsAfter } from "../sealed_tables.ts";
import { essence, type MovedTable, type Row, sizeOf, translate } from "./tables.ts";

/** Rows read at a time, and written by one statement: SQLite takes 32,766 parameters. */
const PAGE_ROWS = 500;
/** Bytes of one statement; a server may take fewer. */
const STATEMENT_BYTES = 4 * 1_024 * 1_024;

/** Which of the two databases an operation is on, so that what it says can name it. */
export type Side = <T>(work: () => Promise<T>) => Promise<T>;

/** All rows of a table in the order of its primary key. */
async function* pages({ db }: Database, table: MovedTable): AsyncGenerator<Row[]> {
  const order = sql.join(table.primaryKey.map((column) => sql.ref(column)));
  const columns = sql.join(table.columns.map((column) => sql.ref(column)));
  let last: Row | undefined;
  do {
    const { rows } = await runGuarded(() =>
      sql<Row>`select ${columns} from ${sql.table(table.table)} where ${rowsAfter(table, last)}
        order by ${order} limit ${sql.lit(PAGE_ROWS)}`.execute(db)
    );
    if (rows.length > 0) yield rows;
    last = rows.length < PAGE_ROWS ? undefined : rows.at(-1);
  } while (last !== undefined);
}

/**
 * Copies a table.
 * @returns how many rows
 * @throws {DatabaseUnusableError} when the target does not take a row, which it names
 */
export async function copyTable(
  source: Database,
  target: Database,
  table: MovedTable,
  atTarget: Side,
): Promise<number> {
  let copied = 0;
  for await (const rows of pages(source, table)) {
    const translated = rows.map((row) => translate(table, row, target.dialect));
    for (const chunk of chunks(translated, Math.min(target.statementBytes, STATEMENT_BYTES))) {
      await atTarget(() => write(target, table, chunk));
    }
    copied += rows.length;
  }
  return copied;
}

function* chunks(rows: readonly Row[], limit: number): Generator<Row[]> {
  let chunk: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = sizeOf(row);
    if (chunk.length > 0 && bytes + size > limit) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

async function write(target: Database, table: MovedTable, rows: readonly Row[]): Promise<void> {
  try {
    await refusing(() => runGuarded(() => insert(target, table, rows)));
  } catch (error) {
    if (!(error instanceof DatabaseUnusableError)) throw error;
    const [row, ...others] = rows;
    if (others.length > 0) {
      // Which of them it is.
      for (const one of rows) await write(target, table, [one]);
      return;
    }
    throw new DatabaseUnusableError(
      `Table ${table.table}, instance ${
        String(row?.["instance_id"])
      }: the row is not taken. ${error.message}`,
      { cause: error },
    );
  }
}

/** May be repeated: a connection may be lost before it is known whether the rows were written. */
async function insert(target: Database, table: MovedTable, rows: readonly Row[]): Promise<void> {
  const others = table.columns.filter((column) => !table.primaryKey.includes(column));
  await target.db.connection().execute(async (db) => {
    // An adopted table may have it, and MySQL would give it a number of its own.
    const hasZero = target.dialect === "mysql" && rows.some(({ id }) => id === 0);
    if (hasZero) await sql`set session sql_mode = concat(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')`.execute(db);
    const statement = db.insertInto(table.table).values(rows as any);
    await upsert(target.dialect, statement, table.primaryKey as any, others as any).execute();
    if (hasZero) await sql`set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`.execute(db);
  });
}

/**
 * Reads a table from both, and compares every row.
 * @throws {DatabaseUnusableError} when they are not the same
 */
export async function compareTable(
  source: Database,
  target: Database,
  table: MovedTable,
  atTarget: Side,
): Promise<void> {
  const copies = pages(target, table);
  for await (const rows of pages(source, table)) {
    const { value } = await atTarget(() => copies.next());
    const there: Row[] = value ?? [];
    rows.forEach((row, index) => {
      const copy = there[index];
      if (copy === undefined || essence(table, row) !== essence(table, copy)) throw different(table, row);
    });
    if (there.length !== rows.length) throw different(table, there.at(-1));
  }
  if (!(await atTarget(() => copies.next())).done) throw different(table, undefined);
}

function different({ table }: MovedTable, row: Row | undefined): DatabaseUnusableError {
  const which = row === undefined ? "" : `, instance ${String(row["instance_id"])}`;
  return new DatabaseUnusableError(
    `Table ${table}${which}: what has been copied is not the same; run the same command again.`,
  );
}
