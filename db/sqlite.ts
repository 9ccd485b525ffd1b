/**
 * The embedded database: the runtime's own SQLite, in the shape Kysely's dialect asks for.
 * @module
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { type Dialect, SqliteDialect } from "kysely";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import type { SqliteTarget } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { judgeFault } from "./faults.ts";

/**
 * How long one statement waits for another process's lock, in milliseconds. The main thread waits with
 * it, so it is short; the store tries again later without blocking anybody.
 */
const BUSY_TIMEOUT_MS = 50;

/** Statements that are kept prepared; longer ones are written in many lengths and would only crowd. */
const KEPT_STATEMENTS = 64;
const KEPT_LENGTH = 1_000;

/** The embedded database, as the rest of this room uses it. */
export interface Sqlite {
  readonly dialect: Dialect;
  /** Prepares a question for one row with one parameter. */
  readonly syncRead: (text: string) => SyncRead;
}

/**
 * Reads a row synchronously, its columns in the question's order; null when there is none, undefined while a
 * transaction is under way, whose rows may never be.
 */
export type SyncRead = (parameter: string) => readonly unknown[] | null | undefined;

/**
 * Opens the file, made with mode 0600 where there is none, and its folder with it.
 * @param options.readOnly look only: nothing is made, and the file is not touched
 * @throws {DatabaseUnusableError} when the file cannot be opened, or is damaged or no database
 * @throws {StoreUnavailableError} when another process has it locked
 */
export function openSqlite(target: SqliteTarget, options: { readOnly?: boolean } = {}): Sqlite {
  const readOnly = options.readOnly ?? false;
  if (!readOnly && target.path !== ":memory:") createFile(target.path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(target.path, { readOnly });
    database.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}; pragma foreign_keys = on`);
    // WAL: a reader never waits for the writer. FULL: what was answered outlives a power cut.
    if (!readOnly) database.exec("pragma journal_mode = wal; pragma synchronous = full");
    database.prepare("select count(*) from sqlite_schema").get(); // reads the file, however little is asked of it
  } catch (error) {
    database?.close();
    throw refusal(target, error);
  }
  const opened = database;
  return {
    dialect: new SqliteDialect({ database: new KyselyDatabase(opened) }),
    syncRead: (text) => prepareRead(opened, text),
  };
}

function prepareRead(database: DatabaseSync, text: string): SyncRead {
  // Named here, since the types of Node that some packages bring along are older.
  const statement: StatementSync & { setReturnArrays(enabled: boolean): void } = database.prepare(
    text,
  ) as any;
  // Rows as arrays: two thirds of the time of rows as objects.
  statement.setReturnArrays(true);
  return (parameter) => {
    if (database.isTransaction) return undefined;
    return statement.get(parameter) as unknown as unknown[] | undefined ?? null;
  };
}

/** SQLite would make it with the process's usual mode; its journals take the mode of the file. */
function createFile(path: string): void {
  const create = () => Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  try {
    try {
      create();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
      Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
      create();
    }
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw new DatabaseUnusableError(`The database file ${path} cannot be made.`, { cause: error });
  }
}

function refusal(target: SqliteTarget, error: unknown): unknown {
  const fault = judgeFault(error);
  switch (fault) {
    case "damaged":
      return new DatabaseUnusableError(
        `The database file ${target.path} is damaged or is not a SQLite database.`,
        { cause: error },
      );
    case "unavailable":
      return new DatabaseUnusableError(`The database file ${target.path} cannot be opened.`, {
        cause: error,
      });
    case "contended":
      return new StoreUnavailableError(error); // another process has the file to itself for now
    case "disconnected":
    case "other":
      return error;
    default:
      return fault satisfies never;
  }
}

class KyselyDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #kept = new Map<string, SqliteStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  close(): void {
    this.#kept.clear();
    this.#database.close();
  }

  prepare(text: string): SqliteStatement {
    // SQLite rolls back by itself when the disk is full; a second rollback would hide why.
    if (text === "rollback" && !this.#database.isTransaction) return NOTHING;
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const statement = new KyselyStatement(this.#database.prepare(text));
    if (text.length <= KEPT_LENGTH) {
      if (this.#kept.size >= KEPT_STATEMENTS) this.#kept.clear();
      this.#kept.set(text, statement);
    }
    return statement;
  }
}

class KyselyStatement implements SqliteStatement {
  /** Whether the statement gives rows. */
  readonly reader: boolean;
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...parameters as SQLInputValue[]);
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.#statement.run(...parameters as SQLInputValue[]);
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...parameters as SQLInputValue[]);
  }
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};
