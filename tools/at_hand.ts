/**
 * Whether the key at hand opens what a database holds, for tools that put a database somewhere.
 * @module
 */
import type { Config } from "../config.ts";
import { connect } from "../db/database.ts";
import { parseDatabaseUrl } from "../db/mod.ts";
import { SEALED_TABLES } from "../db/sealed_tables.ts";
import { checkCredentials, keysAtHand } from "./doctor/credentials.ts";
import type { Check } from "./doctor/report.ts";

/** What is to be said of the key, as the doctor says it. Looks only. */
export async function describeKeys(
  config: Config,
): Promise<{ readonly fit: boolean; readonly lines: readonly string[] }> {
  const keys = await keysAtHand(config, parseDatabaseUrl(config.databaseUrl));
  if (keys !== null && "outcome" in keys) return described(keys);
  const database = await connect(config.databaseUrl, { readOnly: true });
  try {
    return described(await checkCredentials(database.db, keys, SEALED_TABLES));
  } finally {
    await database.close();
  }
}

function described({ outcome, saw, todo }: Check) {
  return { fit: outcome !== "fault", lines: [todo === undefined ? saw : `${saw} ${todo}`] };
}
