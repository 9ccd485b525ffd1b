/**
 * A connected database, whatever its dialect.
 * @module
 */
import { type Dialect, Kysely, type LogConfig, sql } from "kysely";
import { type DatabaseTarget, parseDatabaseUrl } from "./database_url.ts";
import type { DialectName } from "./dialect.ts";
import { runGuarded } from "./faults.ts";
import type { Mysql, MysqlListeners } from "./mysql.ts";
import { asGreetingRefusal } from "./refusals.ts";
import type { Tables } from "./schema.ts";
import { openSqlite, type SyncRead } from "./sqlite.ts";
import { STORE_BOUNDS, type StoreBounds } from "./terms.ts";

/** A database that answers. */
export interface Database {
  readonly dialect: DialectName;
  /** Gives every statement its time. */
  readonly db: Kysely<Tables>;
  /** The same, except that what is known not to be answered is refused immediately. */
  readonly writes: Kysely<Tables>;
  /** The same for what a call waits for: no statement takes long. */
  readonly calls: Kysely<Tables>;
  /** The same by two connections of its own, for what is small and must not wait behind the rest. */
  readonly control: Kysely<Tables>;
  /** The same by one connection of its own, for the presence of this replica alone. */
  readonly presence: Kysely<Tables>;
  /** How many statements `db`, `writes` and `calls` take at a time. */
  readonly connections: number;
  /** Reads without waiting; null where the database is elsewhere. */
  readonly syncRead: ((text: string) => SyncRead) | null;
  /** How many bytes one statement may take; infinite where there is no limit. */
  readonly statementBytes: number;
  close(): Promise<void>;
}

/** Options of {@link connect}. */
export interface ConnectOptions extends MysqlListeners {
  /** Look only. On SQLite nothing is made or touched; on MySQL it is up to the caller. */
  readonly readOnly?: boolean;
  /** Bounds other than {@link STORE_BOUNDS}; MySQL only. */
  readonly bounds?: Partial<StoreBounds> | undefined;
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
  const { syncRead, connections, ...dialects } = await openDialect(target, options);
  const over = (dialect: Dialect) => new Kysely<Tables>({ dialect, log: options.log ?? [] });
  const db = over(dialects.patient);
  const close = () => db.destroy();
  const guarded = dialects.guarded === null ? { writes: db, calls: db, control: db, presence: db } : {
    writes: over(dialects.guarded.writes),
    calls: over(dialects.guarded.calls),
    control: over(dialects.guarded.control),
    presence: over(dialects.guarded.presence),
  };
  try {
    const statementBytes = await greet(target, db);
    return { dialect: target.dialect, db, ...guarded, connections, syncRead, statementBytes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The ways to one database. */
interface Dialects extends Pick<Database, "syncRead" | "connections"> {
  readonly patient: Dialect;
  /** Null where the database is embedded, which answers or fails immediately. */
  readonly guarded: Omit<Mysql, "patient"> | null;
}

async function openDialect(target: DatabaseTarget, options: ConnectOptions): Promise<Dialects> {
  switch (target.dialect) {
    case "sqlite": {
      const { dialect, syncRead } = openSqlite(target, { readOnly: options.readOnly });
      return { patient: dialect, guarded: null, syncRead, connections: 1 };
    }
    case "mysql": {
      // Only here: an embedded database starts without the driver and its packages.
      const { openMysql } = await import("./mysql.ts");
      const { patient, ...guarded } = openMysql(
        target,
        { ...STORE_BOUNDS, ...options.bounds },
        options,
      );
      return { patient, guarded, syncRead: null, connections: target.poolSize };
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
    throw asGreetingRefusal(error, target);
  }
}
