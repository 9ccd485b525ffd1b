/**
 * A connected database, whatever its dialect.
 * @module
 */
import { type Dialect, Kysely, type LogConfig, sql } from "kysely";
import { StoreUnavailableError } from "../domain/ports.ts";
import { type DatabaseTarget, parseDatabaseUrl } from "./database_url.ts";
import type { DialectName } from "./dialect.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { runGuarded } from "./faults.ts";
import type { Tables } from "./schema.ts";
import { type Glance, openSqlite } from "./sqlite.ts";

/** A database that answers. */
export interface Database {
  readonly dialect: DialectName;
  readonly db: Kysely<Tables>;
  /** Reads without waiting; null where the database is elsewhere. */
  readonly glance: ((text: string) => Glance) | null;
  /** How many bytes one statement may take; infinite where there is no limit. */
  readonly statementBytes: number;
  close(): Promise<void>;
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Look only. On SQLite nothing is made or touched; on MySQL it is up to the caller. */
  readonly readOnly?: boolean;
  /** After which an unanswered statement is given up, in milliseconds; MySQL only. */
  readonly statementTimeoutMs?: number;
  /** Kysely's own hook; tests count statements with it. */
  readonly log?: LogConfig;
}

/**
 * Connects and asks one question, so that a bad address shows here and not later.
 * @param url as {@link parseDatabaseUrl} takes it
 * @throws {DatabaseUnusableError} when it can never work with this address
 * @throws {StoreUnavailableError} when the server cannot be reached
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Database> {
  const target = parseDatabaseUrl(url);
  const { dialect, glance } = await openDialect(target, options);
  const db = new Kysely<Tables>({ dialect, log: options.log ?? [] });
  const close = () => db.destroy();
  try {
    return { dialect: target.dialect, db, glance, statementBytes: await greet(target, db), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openDialect(
  target: DatabaseTarget,
  options: ConnectOptions,
): Promise<{ dialect: Dialect; glance: Database["glance"] }> {
  switch (target.dialect) {
    case "sqlite":
      return openSqlite(target, { readOnly: options.readOnly });
    case "mysql": {
      // Only here: an embedded database starts without the driver and its packages.
      const { openMysql } = await import("./mysql.ts");
      return { dialect: openMysql(target, options.statementTimeoutMs), glance: null };
    }
    default:
      return target satisfies never;
  }
}

/** Room for the statement's own words in a packet. */
const PACKET_RESERVE = 64 * 1_024;

async function greet(target: DatabaseTarget, db: Kysely<Tables>): Promise<number> {
  if (target.dialect === "sqlite") {
    await sql`select 1`.execute(db);
    return Infinity;
  }
  try {
    const { rows: [row] } = await runGuarded(() =>
      sql<{ bytes: number }>`select @@max_allowed_packet as bytes`.execute(db)
    );
    return Math.max(Number(row?.bytes) - PACKET_RESERVE, PACKET_RESERVE);
  } catch (error) {
    throw refusal(error instanceof StoreUnavailableError ? error.cause : error) ?? error;
  }
}

/** What a server says to an address that can never work, and what it means to an operator. */
const REFUSALS: ReadonlyMap<unknown, string> = new Map([
  ["ER_ACCESS_DENIED_ERROR", "The database refuses the user or the password in DATABASE_URL."],
  ["ER_ACCESS_DENIED_NO_PASSWORD_ERROR", "The database refuses the user or the password in DATABASE_URL."],
  ["ER_DBACCESS_DENIED_ERROR", "The user in DATABASE_URL may not use the database that it names."],
  ["ER_BAD_DB_ERROR", "The database that DATABASE_URL names does not exist on that server."],
  ["ER_HOST_NOT_PRIVILEGED", "The database does not accept connections from this host."],
  ["HANDSHAKE_NO_SSL_SUPPORT", "The database does not offer the TLS that DATABASE_URL asks for."],
  ["HANDSHAKE_SSL_ERROR", "The TLS certificate of the database is not accepted; see ssl in DATABASE_URL."],
]);

function refusal(error: unknown): DatabaseUnusableError | undefined {
  if (!(error instanceof Error)) return undefined;
  const sentence = REFUSALS.get((error as Error & { code?: unknown }).code);
  return sentence === undefined ? undefined : new DatabaseUnusableError(sentence, { cause: error });
}
