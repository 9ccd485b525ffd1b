/**
 * The authority's memory, over SQLite or MySQL: `openStore`, and what an operator runs beside it.
 * @module
 */
import type { Settlement } from "./adoption/settle.ts";
import { connect, type ConnectOptions } from "./database.ts";
import { runGuarded } from "./faults.ts";
import { migrateDatabase } from "./migrate.ts";
import { refusing } from "./refusals.ts";
import { purgeErased } from "./credentials.ts";
import type { CredentialKeys } from "./sealing.ts";
import { SqlStore, type Store } from "./store.ts";
import type { StoreBounds } from "./terms.ts";

export { type DatabaseNode, nodeName, parseDatabaseUrl } from "./database_url.ts";
export { DatabaseUnusableError } from "./errors.ts";
export { isOutage } from "./faults.ts";
export { keyFilePath, loadOrCreateKeyFile } from "./key_file.ts";
export { describeMigration, isRefused, migrate, type MigrationReport } from "./migrate.ts";
export { asRefusal, whyUnavailable } from "./refusals.ts";
export { rotateCredentials, type RotationOptions, type RotationReport } from "./rotate.ts";
export { CredentialKeys, generateCredentialKey, parseCredentialKeys } from "./sealing.ts";
export { claimDatabase } from "./sole_process.ts";
export type { Store } from "./store.ts";
export type { StoreBounds } from "./terms.ts";

/**
 * Connects, migrates, removes what erased keys left, and gives the store.
 * @param options.url see `database_url.ts`: `sqlite:path`, `sqlite::memory:`, `mysql://user:pass@host:3306/db`
 * @param options.onPrimary told of the node of a cluster that takes writes, whenever it is another one
 * @param options.onTopology told why a database cannot be worked with any more; null once it can again
 * @param options.onAdopted told of a table that was there already and has been taken over
 * @param options.keys seal and open the credentials; `parseCredentialKeys` or `loadOrCreateKeyFile`
 * @param options.bounds other than the product's own
 * @throws {DatabaseUnusableError} one sentence for an operator: the address, a table or the file does not fit
 * @throws {StoreUnavailableError} when the database cannot be reached for now
 */
export function openStore(options: {
  readonly url: string;
  readonly keys: CredentialKeys;
  readonly bounds?: Partial<StoreBounds> | undefined;
  readonly onPrimary?: ConnectOptions["onPrimary"];
  readonly onTopology?: ConnectOptions["onTopology"];
  readonly onAdopted?: (settlement: Settlement) => void;
}): Promise<Store> {
  return refusing(async () => {
    const { url, bounds, onPrimary, onTopology } = options;
    const database = await connect(url, {
      bounds,
      ...(onPrimary === undefined ? {} : { onPrimary }),
      ...(onTopology === undefined ? {} : { onTopology }),
    });
    try {
      const { adopted, table } = await migrateDatabase(database);
      if (adopted && table?.settlement) options.onAdopted?.(table.settlement);
      await runGuarded(() => purgeErased(database.db));
      return new SqlStore(database, options.keys);
    } catch (error) {
      await database.close();
      throw error;
    }
  });
}
