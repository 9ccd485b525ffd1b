/**
 * Statements that an account may not be allowed to run: which privilege is missing, and what can be run in its place.
 * @module
 */
import { CompiledQuery, type Kysely } from "kysely";
import type { Database } from "./database.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { isMade } from "./made.ts";
import type { Tables } from "./schema.ts";
import { deniedPrivilege, isDenied } from "./server_errors.ts";

/**
 * Runs a statement of the schema, unless it makes what is there already and does not say itself that it then does
 * nothing. One that does say so needs no privilege where somebody else has made it.
 * @param all every statement that is to be run, to be told when this one is denied
 * @throws {DatabaseUnusableError} when the account may not; it names the privilege and the statements
 */
export async function runPrivileged(
  database: Pick<Database, "dialect">,
  db: Kysely<Tables>,
  statement: string,
  all: readonly string[],
): Promise<void> {
  if (!/\bif not exists\b/i.test(statement) && await isMade(database, db, statement)) return;
  try {
    await db.executeQuery(CompiledQuery.raw(statement));
  } catch (error) {
    const privilege = missingPrivilege(error);
    if (privilege === null) throw error;
    if (await isMade(database, db, statement)) return;
    const missing: string[] = [];
    for (const other of all) if (!await isMade(database, db, other)) missing.push(`${other};`);
    throw new DatabaseUnusableError(
      `The account in DATABASE_URL lacks the privilege ${privilege}: grant it, run \`deno task migrate\` with an ` +
        `account that has it, or have this run in the database:\n${missing.join("\n")}`,
      { cause: error },
    );
  }
}

/** Which privilege the server misses; null where it misses none. */
export function missingPrivilege(error: unknown): string | null {
  return isDenied(error) ? deniedPrivilege(error) ?? "for it" : null;
}
