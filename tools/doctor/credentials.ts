/**
 * The credentials key: is it one, and does it open what is stored. Counts, and shows neither keys nor contents.
 * @module
 */
import { isFile } from "../../db/files.ts";
import { type Kysely, sql } from "kysely";
import type { Config } from "../../config.ts";
import {
  type CredentialKeys,
  DatabaseUnusableError,
  keyFilePath,
  loadOrCreateKeyFile,
  parseCredentialKeys,
} from "../../db/mod.ts";
import type { DatabaseTarget } from "../../db/database_url.ts";
import type { Tables } from "../../db/schema.ts";
import { rowsAfter, type SealedRow, type SealedTable } from "../../db/sealed_tables.ts";
import { unseal } from "../../db/sealing.ts";
import { CredentialsUnreadableError } from "../../sessions/ports/store.ts";
import { type Check, fault, ok, warning } from "./report.ts";

const NAME = "credentials";

/** The keys at hand: null where the service would make one, a check where there is something wrong with them. */
export async function keysAtHand(
  config: Config,
  target: DatabaseTarget,
): Promise<CredentialKeys | Check | null> {
  try {
    if (config.credentialsKey !== null) return parseCredentialKeys(config.credentialsKey);
    if (target.dialect !== "sqlite" || target.path === ":memory:") return null;
    // Asking for a key that is not there would make it.
    if (!isFile(keyFilePath(target.path))) return null;
    return await loadOrCreateKeyFile(target.path);
  } catch (error) {
    if (error instanceof RangeError) {
      return fault(
        NAME,
        error.message,
        "Make one with `openssl rand -base64 32`, or restore the one in use.",
      );
    }
    if (error instanceof DatabaseUnusableError) {
      return fault(
        NAME,
        error.message,
        "Restore the key file from a backup, readable by the service's user.",
      );
    }
    throw error;
  }
}

/** Rows that are opened together: an instance has some 900. */
const PAGE_ROWS = 1_000;

/**
 * Opens everything that is sealed, some rows at a time.
 * @param tables those of the tables that are there
 */
export async function checkCredentials(
  db: Kysely<Tables>,
  keys: CredentialKeys | null,
  tables: readonly SealedTable[],
): Promise<Check> {
  const instances = new Set<string>();
  const unreadableInstances = new Set<string>();
  let rows = 0;
  let unreadable = 0;
  let older = 0;
  for await (const { table, row } of sealedRows(db, tables)) {
    rows++;
    instances.add(row.instance_id);
    if (keys === null || !opens(keys, table.placeOf(row), row.sealed!)) {
      unreadable++;
      unreadableInstances.add(row.instance_id);
    } else if (row.key_id !== keys.newestId) older++;
  }
  return judge(
    { rows, instances: instances.size, unreadable, unreadableInstances: unreadableInstances.size, older },
    keys,
  );
}

async function* sealedRows(
  db: Kysely<Tables>,
  tables: readonly SealedTable[],
): AsyncGenerator<{ table: SealedTable; row: SealedRow }> {
  for (const table of tables) {
    let last: SealedRow | undefined;
    do {
      const { rows } = await sql<SealedRow>`select * from ${sql.table(table.table)}
        where sealed is not null and ${rowsAfter(table, last)}
        order by ${sql.join(table.primaryKey.map((column) => sql.ref(column)))} limit ${sql.lit(PAGE_ROWS)}`
        .execute(db);
      for (const row of rows) yield { table, row };
      last = rows.length < PAGE_ROWS ? undefined : rows.at(-1);
    } while (last !== undefined);
  }
}

function opens(keys: CredentialKeys, place: Parameters<typeof unseal>[1], sealed: Uint8Array): boolean {
  try {
    unseal(keys, place, sealed);
    return true;
  } catch (error) {
    if (error instanceof CredentialsUnreadableError) return false;
    throw error;
  }
}

interface Found {
  readonly rows: number;
  readonly instances: number;
  readonly unreadable: number;
  readonly unreadableInstances: number;
  /** Rows that open, though only with a key that is being replaced. */
  readonly older: number;
}

function judge(
  { rows, instances, unreadable, unreadableInstances, older }: Found,
  keys: CredentialKeys | null,
) {
  if (unreadable > 0) {
    return fault(
      NAME,
      `${unreadable} of ${rows} sealed entries, in ${unreadableInstances} of ${instances} sessions, do not open ` +
        `with ${keys === null ? "any key, for there is none" : "the keys at hand"}.`,
      "Restore the key that sealed them, after a comma in CREDENTIALS_KEY if need be; without it these numbers " +
        "have to be scanned again.",
    );
  }
  if (keys === null) return ok(NAME, "There is no key and nothing sealed; the service makes a key.");
  if (older > 0) {
    return warning(
      NAME,
      `All ${rows} sealed entries of ${instances} sessions open, ${older} of them with an older key only.`,
      "Keep that key until `deno task rotate-credentials` has run.",
    );
  }
  return ok(NAME, `All ${rows} sealed entries of ${instances} sessions open.`);
}
