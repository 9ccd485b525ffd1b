/**
 * Brings a database to the schema of this version.
 *
 * A thin runner of our own instead of Kysely's: that one makes its tables before anything has been checked,
 * cannot say what it would do, and does not lock SQLite against a second process.
 *
 * Everything is looked at before the first statement that alters anything. Safe to run twice, by two
 * processes at the same time, and after a crash at any point.
 * @module
 */
import { createHash } from "node:crypto";
import { CompiledQuery, type Kysely, sql } from "kysely";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import {
  describeTable,
  inspectTable,
  refuseUnalterable,
  refuseUnfit,
  settleRows,
  type TableReport,
} from "./adoption/mod.ts";
import { alterTable, prepareToAlter, refuseWhileServed } from "./adoption/carry_out.ts";
import { connect, type Database } from "./database.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import { type DialectName, insertIfAbsent, instantFormat } from "./dialect.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { judgeFault, runGuarded } from "./faults.ts";
import { type Migration, MIGRATIONS as ALL } from "./migrations/mod.ts";
import { refuseMarked, sortOut } from "./moving/marks.ts";
import { LINKS, MIGRATIONS, SESSIONS, type Tables } from "./schema.ts";
import { runPrivileged } from "./privileged.ts";
import { claimDatabase } from "./sole_process.ts";
import { hasTable, lookAtTable } from "./table_shape.ts";

/** What a migration did, or with `dryRun` would do. */
export interface MigrationReport {
  readonly dryRun: boolean;
  /** Names of the migrations that were there before. */
  readonly present: readonly string[];
  /** Those applied now, or still to apply. */
  readonly applied: readonly { name: string; purpose: string; statements: readonly string[] }[];
  /** A `ll_whatsapp_qr_sessions` of the client's own is taken over with its rows. */
  readonly adopted: boolean;
  /** What is to be said of the table that was there; null where there was none. */
  readonly table: TableReport | null;
  /** Whether the table was altered, or with `dryRun` would have to be. */
  readonly altered: boolean;
}

/** What a migration may do, and who is told of it. */
export interface MigrateOptions {
  /** Look only, and say what would be done. */
  readonly dryRun?: boolean;
  /** Alter a table of the client's own that does not fit. */
  readonly alter?: boolean;
  /** Part of a move, which sees to the marks of moves by itself. */
  readonly isMove?: boolean;
}

/** A table of the client's own takes as long to alter as it takes, in milliseconds. */
const ALTER_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Migrates the database at this address.
 * @throws {DatabaseUnusableError} when a table does not fit, or a newer version was here, or the account may not do what
 *   is to be done; nothing is altered
 * @throws {StoreUnavailableError} when the database cannot be reached, or somebody else migrates for long
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<MigrationReport> {
  const { dryRun = false, alter = false } = options;
  const target = parseDatabaseUrl(url);
  // Looking at a file that is not there must not make it.
  const absent = dryRun && target.dialect === "sqlite" && !await exists(target.path);
  using _claim = alter && !dryRun ? claimDatabase(url) : null;
  const database = await connect(absent ? "sqlite::memory:" : url, {
    readOnly: dryRun && !absent,
    bounds: alter ? { statementMs: ALTER_TIMEOUT_MS } : undefined,
  });
  try {
    return await migrateDatabase(database, { dryRun, alter });
  } finally {
    await database.close();
  }
}

/** The same over a database that is already connected. */
export function migrateDatabase(
  database: Database,
  options: MigrateOptions & { migrations?: readonly Migration[] } = {},
): Promise<MigrationReport> {
  const { dryRun = false, alter = false, isMove = false, migrations = ALL } = options;
  const { dialect } = database;
  const planned = (db: Kysely<Tables>, rows: boolean) => plan(database, db, migrations, { rows, isMove });
  // Safe to repeat as a whole, as every migration is; and so is altering, which is over or has not begun.
  return runGuarded(async () => {
    const look = await planned(database.db, dryRun || alter);
    if (dryRun) return report(look, dialect, { dryRun, altered: (look.table?.flaws.length ?? 0) > 0 });
    const isToAlter = alter && (look.table?.flaws.length ?? 0) > 0;
    if (!isToAlter) {
      if (look.table !== null) refuseUnfit(look.table);
      if (look.pending.length === 0) return report(look, dialect, { dryRun, altered: false });
    }
    return await database.db.connection().execute(async (db) => {
      if (isToAlter) await prepareToAlter(dialect, db);
      return await locked(dialect, db, async () => {
        // Somebody may have been here while we waited.
        const current = await planned(db, alter);
        const altered = alter && current.table !== null && current.table.flaws.length > 0;
        if (altered) {
          refuseUnalterable(current.table);
          await refuseWhileServed(database, db);
          await alterTable(dialect, db, current.table.statements);
          const after = await planned(db, false);
          if (after.table !== null) refuseUnfit(after.table);
        } else if (current.table !== null) refuseUnfit(current.table);
        await apply(database, db, current);
        return report(current, dialect, { dryRun, altered });
      });
    });
  });
}

/** A report as lines for an operator. */
export function describeMigration(report: MigrationReport): string[] {
  const { dryRun, present, applied, adopted, table, altered } = report;
  const lines = present.map((name) => `${name}: already applied`);
  if (table !== null) lines.push(...describeTable(table, dryRun));
  if (altered) lines.push(`${SESSIONS}: ${dryRun ? "would have to be" : "was"} altered`);
  if (adopted) lines.push(`${SESSIONS}: ${dryRun ? "would be" : "was"} adopted with its rows`);
  for (const { name, purpose, statements } of applied) {
    lines.push(`${name}: ${dryRun ? "would be applied" : "applied"}: ${purpose}`);
    if (dryRun) lines.push(...statements.map((statement) => `${statement};`));
  }
  if (applied.length === 0 && !altered) lines.push("The database is up to date.");
  return lines;
}

/** Whether a start, or a migration without `alter`, would be refused. */
export function isRefused({ dryRun, altered, adopted, table }: MigrationReport): boolean {
  return dryRun && (altered || (adopted && (table?.rowFaults.length ?? 0) > 0));
}

interface Plan {
  readonly present: readonly string[];
  readonly pending: readonly Migration[];
  readonly adopts: boolean;
  readonly table: TableReport | null;
  /** Whether the table of links is there, and with it perhaps logins. */
  readonly hasLinks: boolean;
}

/**
 * Looks at everything and alters nothing.
 * @param options.rows whether the rows of the contract's table are looked at in any case
 * @throws {DatabaseUnusableError} when a newer version was here, or a move is not done with it or has left it
 */
async function plan(
  database: Database,
  db: Kysely<Tables>,
  migrations: readonly Migration[],
  { rows, isMove }: { readonly rows: boolean; readonly isMove: boolean },
): Promise<Plan> {
  const { migrations: present, marks } = sortOut(await appliedNames(database, db));
  if (!isMove) refuseMarked(marks);
  const known = new Set(migrations.map(({ name }) => name));
  const newer = present.find((name) => !known.has(name));
  if (newer !== undefined) {
    throw new DatabaseUnusableError(
      `The database has the migration ${newer}, which this version does not know; run the version that made it.`,
    );
  }
  const sessions = await lookAtTable(database, db, SESSIONS);
  const pending = migrations.filter(({ name }) => !present.includes(name));
  const adopts = sessions !== null && pending.some(({ name }) => name === ALL[0]?.name);
  return {
    present,
    pending,
    adopts,
    table: sessions === null ? null : await inspectTable(database.dialect, db, sessions, { adopts, rows }),
    hasLinks: adopts && await hasTable(database, db, LINKS),
  };
}

async function appliedNames(database: Database, db: Kysely<Tables>): Promise<string[]> {
  if (!await hasTable(database, db, MIGRATIONS)) return [];
  const rows = await db.selectFrom(MIGRATIONS).select("name").orderBy("name").execute();
  return rows.map((row) => row.name);
}

async function apply(
  database: Database,
  db: Kysely<Tables>,
  { pending, adopts, hasLinks }: Plan,
): Promise<void> {
  const { dialect } = database;
  const run = (statement: string) =>
    runPrivileged(database, db, statement, [LEDGER[dialect], ...unapplied(pending, dialect)]);
  await run(LEDGER[dialect]);
  if (adopts) await settleRows(dialect, db, hasLinks);
  const format = instantFormat(dialect);
  for (const migration of pending) {
    for (const statement of migration.statements[dialect]) await run(statement);
    const insert = db.insertInto(MIGRATIONS).values({ name: migration.name, applied_at: format(Date.now()) });
    await insertIfAbsent(dialect, insert, "name").execute();
  }
}

function unapplied(pending: readonly Migration[], dialect: DialectName): string[] {
  return pending.flatMap(({ statements }) => statements[dialect]);
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

function report(
  { present, pending, adopts, table }: Plan,
  dialect: DialectName,
  { dryRun, altered }: { dryRun: boolean; altered: boolean },
): MigrationReport {
  return {
    dryRun,
    present,
    adopted: adopts,
    table,
    altered,
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

/**
 * How long the lock outlives a machine that is gone without a word, in seconds: its connection ends once nothing has come
 * over it for so long, where it would otherwise be hours (`wait_timeout`). Shorter than the lock is waited for.
 */
const SILENT_SECONDS = 10;

/** A named lock, because every `CREATE TABLE` commits. It ends with the connection, whatever happens. */
async function lockedMysql<T>(db: Kysely<Tables>, work: () => Promise<T>): Promise<T> {
  const name = await migrationLock(db);
  await sql`set session wait_timeout = ${sql.lit(SILENT_SECONDS)}`.execute(db);
  try {
    const take = sql<{ taken: number | null }>`select get_lock(${name}, 5) as taken`;
    const deadline = performance.now() + LOCK_WAIT_MS;
    while ((await take.execute(db)).rows[0]?.taken !== 1) {
      if (performance.now() > deadline) {
        throw new StoreUnavailableError(new Error("Another process holds the lock of the migrations."));
      }
    }
    return await work();
  } finally {
    // A dead connection holds no lock, and waits for nothing.
    await sql`select release_lock(${name})`.execute(db).catch(() => {});
    await sql`set session wait_timeout = default`.execute(db).catch(() => {});
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
