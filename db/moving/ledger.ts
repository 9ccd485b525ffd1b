/**
 * The marks of moves in the ledger of migrations: read, made, taken off.
 * @module
 */
import { connect, type Database } from "../database.ts";
import { insertIfAbsent, instantFormat } from "../dialect.ts";
import { runGuarded } from "../faults.ts";
import { MIGRATIONS } from "../schema.ts";
import { hasTable } from "../table_shape.ts";
import { type Mark, nameOf, sortOut } from "./marks.ts";

/** The marks in a database. */
export async function marksOf(database: Database): Promise<Mark[]> {
  return await runGuarded(async () => {
    if (!await hasTable(database, database.db, MIGRATIONS)) return [];
    const rows = await database.db.selectFrom(MIGRATIONS).select("name").execute();
    return sortOut(rows.map(({ name }) => name)).marks;
  });
}

/** Marks a database; it may be marked so already. */
export async function mark({ dialect, db }: Database, mark: Mark): Promise<void> {
  const applied_at = instantFormat(dialect)(Date.now());
  const insert = db.insertInto(MIGRATIONS).values({ name: nameOf(mark), applied_at });
  await runGuarded(() => insertIfAbsent(dialect, insert, "name").execute());
}

/** Takes a mark off. */
export async function unmark({ db }: Database, mark: Mark): Promise<void> {
  await runGuarded(() => db.deleteFrom(MIGRATIONS).where("name", "=", nameOf(mark)).execute());
}

/** The same of a file, which nobody else has open: the claim is ours, and what has been read of it is read. */
export async function markFile(url: string, away: Mark): Promise<void> {
  const file = await connect(url);
  try {
    await mark(file, away);
  } finally {
    await file.close();
  }
}
