/**
 * A connected database, whatever its dialect.
 * @module
 */
import { type Dialect, Kysely, type LogConfig, sql } from "kysely";
import { StoreUnavailableError } from "../domain/ports.ts";
import { type DatabaseTarget, parseDatabaseUrl } from "./database_url.ts";
import type { DialectName } from "./dialect.ts";
import { runGuarded } from "./faults.ts";
import { asGreetingRefusal } from "./refusals.ts";
import type { Tables } from "./schema.ts";
import { type Glance, openSqlite } from "./sqlite.ts";
import { assertOneWriter } from "./topology.ts";

/** A database that answers. */
export interface Database {
  readonly dialect: DialectName;
  readonly db: Kysely<Tables>;
  /** The same by two connections of its own, for what is small and must not wait behind the rest. */
  readonly control: Kysely<Tables>;
  /** The same by one connection of its own, for the presence of this replica alone. */
  readonly presence: Kysely<Tables>;
  /** How many statements `db` takes at a time. */
  readonly connections: number;
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
  const { dialect, glance, connections, beside } = await openDialect(target, options);
  const over = (dialect: Dialect) => new Kysely<Tables>({ dialect, log: options.log ?? [] });
  const db = over(dialect);
  const control = beside === null ? db : over(beside(CONTROL_CONNECTIONS));
  const presence = beside === null ? db : over(beside(1));
  const close = async () => {
    await Promise.all([...new Set([db, control, presence])].map((each) => each.destroy()));
  };
  try {
    return {
      dialect: target.dialect,
      db,
      control,
      presence,
      connections,
      glance,
      statementBytes: await greet(target, db),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A database that is opened. */
interface Opened extends Pick<Database, "glance" | "connections"> {
  readonly dialect: Dialect;
  /** Opens it once more, over so many connections; null where there is but one. */
  readonly beside: ((connections: number) => Dialect) | null;
}

async function openDialect(target: DatabaseTarget, options: ConnectOptions): Promise<Opened> {
  switch (target.dialect) {
    case "sqlite":
      return { ...openSqlite(target, { readOnly: options.readOnly }), connections: 1, beside: null };
    case "mysql": {
      // Only here: an embedded database starts without the driver and its packages.
      const { openMysql } = await import("./mysql.ts");
      const open = (poolSize: number) => openMysql({ ...target, poolSize }, options.statementTimeoutMs);
      return { dialect: open(target.poolSize), glance: null, connections: target.poolSize, beside: open };
    }
    default:
      return target satisfies never;
  }
}

/** Beside those of the pool: for what replicas ask of each other, and for whoever asks whether this one is ready. */
const CONTROL_CONNECTIONS = 2;
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
    await assertOneWriter(db);
    return Math.max(Number(row?.bytes) - PACKET_RESERVE, PACKET_RESERVE);
  } catch (error) {
    throw asGreetingRefusal(error instanceof StoreUnavailableError ? error.cause : error, target);
  }
}
