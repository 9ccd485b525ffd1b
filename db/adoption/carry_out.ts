/**
 * Altering a table that is there already. On MySQL and MariaDB it is one statement, which is carried out as a whole or
 * not at all, whoever is killed meanwhile; on SQLite it happens in the migrations' one transaction.
 * @module
 */
import { CompiledQuery, type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import type { DialectName } from "../dialect.ts";
import { DatabaseUnusableError } from "../errors.ts";
import { judgeFault } from "../faults.ts";
import { missingPrivilege } from "../privileged.ts";
import { REPLICAS, SESSIONS, type Tables } from "../schema.ts";
import { hasTable } from "../table_shape.ts";

/** How long the statement waits for others who have the table in use, in seconds. */
const LOCK_WAIT_SECONDS = 10;

/**
 * An embedded file is claimed by whoever serves it; on a server only replicas leave a trace.
 * @throws {DatabaseUnusableError} while replicas are present
 */
export async function refuseWhileServed(database: Database, db: Kysely<Tables>): Promise<void> {
  if (database.dialect === "sqlite" || !await hasTable(database, db, REPLICAS)) return;
  const { rows: [row] } = await sql<{ present: unknown }>`
    select count(*) as present from ${sql.table(REPLICAS)} where expires_at > utc_timestamp(3)`.execute(db);
  const present = Number(row?.present);
  if (present === 0) return;
  throw new DatabaseUnusableError(
    `${present} ${
      present === 1 ? "replica serves" : "replicas serve"
    } this database: stop the service first; one ` +
      "that ended without a word counts for 10 s. Nothing was altered.",
  );
}

/**
 * What has to be said before the transaction: a table that is dropped to be rebuilt would take along what refers to it,
 * and could not be given its name again while a view reads it.
 */
export async function prepareToAlter(dialect: DialectName, db: Kysely<Tables>): Promise<void> {
  if (dialect === "mysql") return;
  await sql`pragma foreign_keys = off`.execute(db);
  await sql`pragma legacy_alter_table = on`.execute(db);
}

/**
 * Runs the statements that a judgement gives.
 * @throws {DatabaseUnusableError} when the server or the account refuses; nothing was altered
 */
export async function alterTable(
  dialect: DialectName,
  db: Kysely<Tables>,
  statements: readonly string[],
): Promise<void> {
  if (dialect === "mysql") {
    await sql`set session lock_wait_timeout = ${sql.lit(LOCK_WAIT_SECONDS)},
      sql_mode = concat(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')`.execute(db); // an id of 0 stays 0
  }
  try {
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  } catch (error) {
    throw refusal(error, statements) ?? error;
  } finally {
    if (dialect === "mysql") {
      await sql`set session lock_wait_timeout = default,
        sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`.execute(db).catch(() => {}); // gone with its connection
    }
  }
}

/** What a server says that carries out none of it; undefined where trying again makes sense. */
function refusal(error: unknown, statements: readonly string[]): DatabaseUnusableError | undefined {
  const privilege = missingPrivilege(error);
  if (privilege !== null) {
    return new DatabaseUnusableError(
      `The account in DATABASE_URL lacks the privilege ${privilege}: grant it, run this with an account that has ` +
        `it, or have this run in the database:\n${statements.map((statement) => `${statement};`).join("\n")}`,
      { cause: error },
    );
  }
  if (judgeFault(error) !== "other") return undefined;
  const { code } = error as { code?: unknown };
  // Its message may quote what is in a row.
  return new DatabaseUnusableError(
    `Table ${SESSIONS}: the database refuses to alter it (${
      String(code ?? "no code")
    }); nothing was altered. ` +
      "Run what `deno task migrate -- --dry-run` prints by hand to see why.",
    { cause: error },
  );
}
