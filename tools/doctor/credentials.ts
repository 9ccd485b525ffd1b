/**
 * The credentials key: is it one, and does it open what is stored. Counts, and shows neither keys nor contents.
 * @module
 */
import type { Kysely } from "kysely";
import type { Config } from "../../config.ts";
import {
  type CredentialKeys,
  DatabaseUnusableError,
  keyFilePath,
  loadOrCreateKeyFile,
  parseCredentialKeys,
} from "../../db/mod.ts";
import type { DatabaseTarget } from "../../db/database_url.ts";
import { CREDENTIALS, type Tables } from "../../db/schema.ts";
import { unseal } from "../../db/sealing.ts";
import { CredentialsUnreadableError } from "../../domain/ports.ts";
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
    if (!isThere(keyFilePath(target.path))) return null;
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

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Opens everything that is sealed, an instance at a time. */
export async function checkCredentials(db: Kysely<Tables>, keys: CredentialKeys | null): Promise<Check> {
  const found = { rows: 0, instances: 0, unreadable: 0, unreadableInstances: 0, older: 0 };
  for (
    let instanceId = await nextInstance(db, "");
    instanceId;
    instanceId = await nextInstance(db, instanceId)
  ) {
    const rows = await db.selectFrom(CREDENTIALS).select(["kind", "name", "sealed", "key_id"])
      .where("instance_id", "=", instanceId).where("sealed", "is not", null).execute();
    let unreadable = 0;
    for (const { kind, name, sealed, key_id } of rows) {
      const place = { instanceId, kind, name: new TextDecoder("utf-8", { ignoreBOM: true }).decode(name) };
      if (keys === null || !opens(keys, place, sealed!)) unreadable++;
      else if (key_id !== keys.newestId) found.older++;
    }
    found.instances++;
    found.rows += rows.length;
    found.unreadable += unreadable;
    if (unreadable > 0) found.unreadableInstances++;
  }
  return judge(found, keys);
}

async function nextInstance(db: Kysely<Tables>, after: string): Promise<string | undefined> {
  const row = await db.selectFrom(CREDENTIALS).select("instance_id")
    .where("instance_id", ">", after).where("sealed", "is not", null)
    .orderBy("instance_id").limit(1).executeTakeFirst();
  return row?.instance_id;
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
