/**
 * Brings a database to the schema of this version.
 *
 * A thin runner of our own instead of Kysely's: that one makes its tables before anything has been checked,
 * cannot say what it would do, and does not lock SQLite against a second process.
 *
 * Everything is looked at before the first statement that alters anything. Safe to run twice, by two
 * processes at once, and after a crash at any point.
 * @module
 */
import { createHash } from "node:crypto";
import { CompiledQuery, type Kysely, sql } from "kysely";
import { StoreUnavailableError } from "../domain/ports.ts";
import { checkSessionTable } from "./adoption.ts";
import { connect, type Database } from "./database.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import { type DialectName, instantFormat, unlessThere } from "./dialect.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { judgeFault, runGuarded } from "./faults.ts";
import { type Migration, MIGRATIONS as ALL } from "./migrations/mod.ts";
import { MIGRATIONS, SESSIONS, type Tables } from "./schema.ts";
import { lookAtTable } from "./table_shape.ts";

/** What a migration did, or with `dryRun` would do. */
export interface MigrationReport {
  readonly dryRun: boolean;
  /** Names of the migrations that were there before. */
  readonly present: readonly string[];
  /** Those applied now, or still to apply. */
  readonly applied: readonly { name: string; purpose: string; statements: readonly string[] }[];
  /** A `ll_whatsapp_qr_sessions` of the client's own is taken over with its rows. */
  readonly adopted: boolean;
}

/**
 * Migrates the database at this address.
 * @param options.dryRun look only, and say what would be done
 * @throws {DatabaseUnusableError} when a table does not fit, or a newer version was here; nothing is altered
 * @throws {StoreUnavailableError} when the database cannot be reached, or somebody else migrates for long
 */
export async function migrate(url: string, options: { dryRun?: boolean } = {}): Promise<MigrationReport> {
  const dryRun = options.dryRun ?? false;
  const target = parseDatabaseUrl(url);
  // Looking at a file that is not there must not make it.
  const absent = dryRun && target.dialect === "sqlite" && !await exists(target.path);
  const database = await connect(absent ? "sqlite::memory:" : url, { readOnly: dryRun && !absent });
  try {
    return await migrateDatabase(database, { dryRun });
  } finally {
    await database.close();
  }
}

/** The same over a database that is already connected. */
export function migrateDatabase(
  database: Database,
  options: { dryRun: boolean; migrations?: readonly Migration[] } = { dryRun: false },
): Promise<MigrationReport> {
  const { dryRun, migrations = ALL } = options;
  // Safe to repeat as a whole, as every migration is.
  return runGuarded(async () => {
    const look = await plan(database, database.db, migrations);
    if (dryRun || look.pending.length === 0) return report(look, database.dialect, dryRun);
    return await database.db.connection().execute((db) =>
      locked(database.dialect, db, async () => {
        const current = await plan(database, db, migrations); // somebody may have been here while we waited
        await apply(database.dialect, db, current.pending);
        return report(current, database.dialect, false);
      })
    );
  });
}

/** A report as lines for an operator. */
export function describeMigration(report: MigrationReport): string[] {
  const { dryRun, present, applied, adopted } = report;
  const lines = present.map((name) => `${name}: already applied`);
  if (adopted) lines.push(`${SESSIONS}: ${dryRun ? "would be" : "was"} adopted with its rows`);
  for (const { name, purpose, statements } of applied) {
    lines.push(`${name}: ${dryRun ? "would be applied" : "applied"}: ${purpose}`);
    if (dryRun) lines.push(...statements.map((statement) => `${statement};`));
  }
  if (applied.length === 0) lines.push("The database is up to date.");
  return lines;
}

interface Plan {
  readonly present: readonly string[];
  readonly pending: readonly Migration[];
  readonly adopts: boolean;
}

/** Looks at everything and alters nothing. */
async function plan(
  database: Database,
  db: Kysely<Tables>,
  migrations: readonly Migration[],
): Promise<Plan> {
  const present = await appliedNames(database, db);
  const known = new Set(migrations.map(({ name }) => name));
  const newer = present.find((name) => !known.has(name));
  if (newer !== undefined) {
    throw new DatabaseUnusableError(
      `The database has the migration ${newer}, which this version does not know; run the version that made it.`,
    );
  }
  const sessions = await lookAtTable(database, db, SESSIONS);
  if (sessions !== null) checkSessionTable(database.dialect, sessions);
  const pending = migrations.filter(({ name }) => !present.includes(name));
  return { present, pending, adopts: sessions !== null && pending.some(({ name }) => name === ALL[0]?.name) };
}

async function appliedNames(database: Database, db: Kysely<Tables>): Promise<string[]> {
  if (await lookAtTable(database, db, MIGRATIONS) === null) return [];
  const rows = await db.selectFrom(MIGRATIONS).select("name").orderBy("name").execute();
  return rows.map((row) => row.name);
}

async function apply(dialect: DialectName, db: Kysely<Tables>, pending: readonly Migration[]): Promise<void> {
  await db.executeQuery(CompiledQuery.raw(LEDGER[dialect]));
  const format = instantFormat(dialect);
  for (const migration of pending) {
    for (const statement of migration.statements[dialect]) {
      await db.executeQuery(CompiledQuery.raw(statement));
    }
    const insert = db.insertInto(MIGRATIONS).values({ name: migration.name, applied_at: format(Date.now()) });
    await unlessThere(dialect, insert, "name").execute();
  }
}

/** The table that remembers. Not a migration itself, since it has to be there before the first. */
const LEDGER: Readonly<Record<DialectName, string>> = {
  sqlite:
    `create table if not exists ${MIGRATIONS} (name text not null primary key, applied_at text not null)`,
  mysql: `create table if not exists ${MIGRATIONS} (
  name varchar(64) character set ascii collate ascii_bin not null,
  applied_at datetime(3) not null,
  primary key (name)
) engine = InnoDB default character set utf8mb4`,
};

function report({ present, pending, adopts }: Plan, dialect: DialectName, dryRun: boolean): MigrationReport {
  return {
    dryRun,
    present,
    adopted: adopts,
    applied: pending.map(({ name, purpose, statements }) => ({
      name,
      purpose,
      statements: statements[dialect],
    })),
  };
}

/** How long another process's migration is waited for. */
const LOCK_WAIT_MS = 30_000;
const LOCK_POLL_MS = 25;

function locked<T>(dialect: DialectName, db: Kysely<Tables>, work: () => Promise<T>): Promise<T> {
  switch (dialect) {
    case "sqlite":
      return lockedSqlite(db, work);
    case "mysql":
      return lockedMysql(db, work);
    default:
      return dialect satisfies never;
  }
}

/** One transaction: all of it or nothing. */
async function lockedSqlite<T>(db: Kysely<Tables>, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      await db.executeQuery(CompiledQuery.raw("begin immediate"));
      break;
    } catch (error) {
      if (judgeFault(error) !== "contended") throw error;
      if (performance.now() > deadline) throw new StoreUnavailableError(error);
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    }
  }
  try {
    const result = await work();
    await db.executeQuery(CompiledQuery.raw("commit"));
    return result;
  } catch (error) {
    await db.executeQuery(CompiledQuery.raw("rollback"));
    throw error;
  }
}

/**
 * The lock's name: the same that earlier versions had the server make, so that none of them migrates beside this one.
 * It is made here because MySQL has no `sha1()` any more since 9.6. Lock names are the server's, not the database's, and
 * have at most 64 characters.
 */
async function migrationLock(db: Kysely<Tables>): Promise<string> {
  // As the server spells it: one that takes every name in lower case has changed it.
  const { rows: [row] } = await sql<{ name: string }>`select database() as name`.execute(db);
  return `ll_whatsapp_${createHash("sha1").update(String(row?.name)).digest("hex")}`;
}

/** A named lock, because every `CREATE TABLE` commits. It ends with the connection, whatever happens. */
async function lockedMysql<T>(db: Kysely<Tables>, work: () => Promise<T>): Promise<T> {
  const name = await migrationLock(db);
  const take = sql<{ taken: number | null }>`select get_lock(${name}, 5) as taken`;
  const deadline = performance.now() + LOCK_WAIT_MS;
  while ((await take.execute(db)).rows[0]?.taken !== 1) {
    if (performance.now() > deadline) {
      throw new StoreUnavailableError(new Error("Another process holds the lock of the migrations."));
    }
  }
  try {
    return await work();
  } finally {
    await sql`select release_lock(${name})`.execute(db).catch(() => {}); // a dead connection holds no lock
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
