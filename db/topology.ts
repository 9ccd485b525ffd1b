/**
 * One writable server. The fence reads the lease's row under a lock, and a lock is its server's alone: where two servers
 * take writes of the same row, an old owner's write can get through on the one after another replica has taken the
 * session on the other. Such a cluster is refused at the start. To make the lease part of every write would let its
 * certification see the conflict, and would cost each write a second row.
 *
 * After a failover within a group of one primary, the new one first applies what the last one has committed: every
 * connection asks for that (`mysql.ts`).
 * @module
 */
import { type Kysely, sql } from "kysely";
import { DatabaseUnusableError } from "./errors.ts";
import { runGuarded } from "./faults.ts";
import type { Tables } from "./schema.ts";

/** A server without one of these, as nearly all are, does not know it. */
const VARIABLES = [
  "wsrep_on",
  "wsrep_provider",
  "group_replication_group_name",
  "group_replication_single_primary_mode",
];

/**
 * @param db of MySQL or MariaDB
 * @throws {DatabaseUnusableError} when the server belongs to a cluster that takes writes on more than one
 */
export async function assertOneWriter(db: Kysely<Tables>): Promise<void> {
  const { rows } = await runGuarded(() =>
    sql<{ Variable_name: string; Value: string }>`show global variables where variable_name in (${
      sql.join(VARIABLES.map((name) => sql.lit(name)))
    })`.execute(db)
  );
  const sentence = writersFault(new Map(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value])));
  if (sentence !== null) throw new DatabaseUnusableError(sentence);
}

/**
 * What is wrong with the topology that these variables tell of.
 * @param variables by their names in lower case
 * @returns a sentence for an operator; null when one server takes the writes
 */
export function writersFault(variables: ReadonlyMap<string, string>): string | null {
  const value = (name: string) => variables.get(name)?.toLowerCase() ?? "";
  const hasProvider = !["", "none"].includes(value("wsrep_provider"));
  if (value("wsrep_on") === "on" && hasProvider) {
    return "The database of DATABASE_URL is a node of a Galera cluster (wsrep_on), where an old owner's write can get " +
      "through beside a new one's; use a single server, or replication with one primary.";
  }
  if (
    value("group_replication_group_name") !== "" && value("group_replication_single_primary_mode") === "off"
  ) {
    return "The database of DATABASE_URL belongs to a group with several primaries, where an old owner's write can " +
      "get through beside a new one's; set group_replication_single_primary_mode to ON in the whole group.";
  }
  return null;
}
