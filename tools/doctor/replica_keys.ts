/**
 * The keys of the replicas that are present beside those at hand: would a replica with these be let in, and could its
 * newest key seal.
 * @module
 */
import type { Database } from "../../db/database.ts";
import { readRing } from "../../db/key_ring.ts";
import type { CredentialKeys } from "../../db/mod.ts";
import { CREDENTIAL_KEYS, REPLICA_KEYS } from "../../db/schema.ts";
import { hasTable } from "../../db/table_shape.ts";
import { admit, whyNotSealing } from "../../domain/key_ring.ts";
import { type Check, fault, ok, warning } from "./report.ts";

const NAME = "replicas";

/** @returns nothing where no replica is present, or the database is one of an earlier version */
export async function checkReplicaKeys(database: Database, keys: CredentialKeys | null): Promise<Check[]> {
  if (keys === null) return [];
  for (const table of [CREDENTIAL_KEYS, REPLICA_KEYS]) {
    if (!await hasTable(database, database.db, table)) return [];
  }
  const ring = await readRing(database.db);
  const present = ring.holders.length;
  if (present === 0) return [];
  const admission = admit(ring, "doctor", keys.ids);
  if (admission.kind === "refused") {
    return [fault(NAME, "A replica with these keys would be refused at its start.", admission.why)];
  }
  const why = whyNotSealing(ring, keys.newestId);
  if (why !== null) {
    const [saw, todo = ""] = why.split("; ");
    return [warning(NAME, `${saw}.`, `Before \`deno task rotate-credentials\`: ${todo}`)];
  }
  return [
    ok(NAME, `${present} present, and ${present === 1 ? "it has" : "all have"} the newest key at hand.`),
  ];
}
