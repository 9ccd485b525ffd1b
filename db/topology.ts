/**
 * One writable server. The fence reads the lease's row under a lock, and a lock is its server's alone: where two servers
 * take writes of the same row, an old owner's write can get through on the one after another replica has taken the
 * session on the other. Such a cluster is refused at the start. To make the lease part of every write would let its
 * certification see the conflict, and would cost each write a second row.
 *
 * A group can be switched while it is used. So each new connection asks, and those of presence and leases again and again; while
 * there is more than one writer the database counts as away.
 *
 * After a failover within a group of one primary, the new one first applies what the last one has committed: every
 * connection asks for that (`mysql.ts`).
 * @module
 */

/** A server without one of these, as nearly all are, does not know it. */
const VARIABLES = [
  "wsrep_on",
  "wsrep_provider",
  "group_replication_group_name",
  "group_replication_single_primary_mode",
];

/** Its answer are rows of a name and a value; see {@link writersFault}. */
export const TOPOLOGY_QUESTION = `show global variables where variable_name in (${
  VARIABLES.map((name) => `'${name}'`).join(", ")
})`;

/** A row of the answer to {@link TOPOLOGY_QUESTION}. */
export interface TopologyRow {
  readonly Variable_name: string;
  readonly Value: string;
}

/** How old an answer may be, in milliseconds: one that all is well, and one that it is not. */
export const TOPOLOGY_MS = { well: 2_000, wrong: 500 } as const;

/** More than one server takes writes. */
export class SeveralWritersError extends Error {
  override readonly name = "SeveralWritersError";
  /** As drivers have it; see `faults.ts`. */
  readonly code = "SEVERAL_WRITERS";
}

/** What is known of the topology. */
export class Topology {
  readonly #onChange: (fault: string | null) => void;
  readonly #now: () => number;
  #fault: string | null = null;
  #toldAt = -Infinity;

  /**
   * @param onChange told what is wrong, a sentence for an operator, and null once that is over
   * @param now monotonic, in milliseconds
   */
  constructor(
    onChange: (fault: string | null) => void = () => {},
    now: () => number = () => performance.now(),
  ) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Whether it is time to ask again. */
  get isStale(): boolean {
    return this.#now() - this.#toldAt >= (this.#fault === null ? TOPOLOGY_MS.well : TOPOLOGY_MS.wrong);
  }

  /** A server has said this. @throws {SeveralWritersError} when it belongs to a cluster that takes writes on more than one */
  learn(rows: readonly TopologyRow[]): void {
    const fault = writersFault(new Map(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value])));
    this.#toldAt = this.#now();
    const before = this.#fault;
    this.#fault = fault;
    if (fault !== before) this.#onChange(fault);
    this.assertOneWriter();
  }

  /** @throws {SeveralWritersError} when it is known that more than one server takes writes */
  assertOneWriter(): void {
    if (this.#fault !== null) throw new SeveralWritersError(this.#fault);
  }
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
