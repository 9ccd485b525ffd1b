/**
 * Which of the nodes that `DATABASE_URL` names takes writes: found when it is needed, and looked for again once it is
 * lost. Where one node is named that is the one, and nobody asks it.
 * @module
 */
import { type DatabaseNode, nodeName } from "./database_url.ts";

/** What a node says of itself. */
export type NodeRole = "primary" | "read_only";

/** The nodes, how one is asked for its role, and who is told of a change. */
export interface NodesOptions {
  /** At least one. */
  readonly nodes: readonly DatabaseNode[];
  /** Asks one; rejects where it cannot be reached, and within a bound of its own. */
  readonly ask: (node: DatabaseNode) => Promise<NodeRole>;
  /** Told of the node that takes writes from now on, and of the one that did before. */
  readonly onPrimary?: (node: DatabaseNode, before: DatabaseNode | null) => void;
}

/** No node takes writes: a failover is under way, or the cluster has no quorum. */
export class NoPrimaryError extends Error {
  override readonly name = "NoPrimaryError";
  /** As drivers have it; see `faults.ts`. */
  readonly code = "NO_PRIMARY";

  constructor() {
    super("None of the nodes in DATABASE_URL takes writes.");
  }
}

/** Finds the node that takes writes, and finds it again after a failover. */
export class Nodes {
  readonly #options: NodesOptions;
  #primary: DatabaseNode | null;
  #last: DatabaseNode | null = null;
  /** The one that was lost last: it may not know yet that it is no primary any more. */
  #doubtful: DatabaseNode | null = null;
  #seeking: Promise<DatabaseNode> | null = null;

  constructor(options: NodesOptions) {
    this.#options = options;
    const [first, second] = options.nodes;
    this.#primary = second === undefined ? first! : null;
  }

  /** The node that takes writes, as far as anybody knows; null while that is nobody. */
  get known(): DatabaseNode | null {
    return this.#primary;
  }

  /**
   * The node that takes writes. Whoever asks meanwhile waits for the same answer.
   * @throws {NoPrimaryError} when those that can be reached are read-only
   * @throws what the nodes threw, when none can be reached
   */
  primary(): Promise<DatabaseNode> {
    if (this.#primary !== null) return Promise.resolve(this.#primary);
    return this.#seeking ??= this.#seek().finally(() => this.#seeking = null);
  }

  /** This node does not answer, or refuses writes: whoever is next looks for another one. */
  lost(node: DatabaseNode): void {
    if (this.#options.nodes.length === 1 || node !== this.#primary) return;
    this.#primary = null;
    this.#doubtful = node;
  }

  async #seek(): Promise<DatabaseNode> {
    const { nodes, onPrimary } = this.#options;
    const found = await this.#firstPrimary(nodes);
    const before = this.#last;
    this.#primary = found;
    this.#last = found;
    if (found !== before) onPrimary?.(found, before);
    return found;
  }

  /** The first that says so; one that is doubtful only where no other does. */
  #firstPrimary(nodes: readonly DatabaseNode[]): Promise<DatabaseNode> {
    return new Promise((resolve, reject) => {
      const failures: unknown[] = [];
      let left = nodes.length;
      let doubtful: DatabaseNode | null = null;
      const settle = () => {
        if (--left > 0) return;
        if (doubtful !== null) resolve(doubtful);
        // Whoever may not log in, or is offered no TLS, has to be told, and not that a node is away.
        else if (failures.length < nodes.length) reject(new NoPrimaryError());
        else reject(failures.find((failure) => (failure as { sqlState?: unknown })?.sqlState) ?? failures[0]);
      };
      for (const node of nodes) {
        this.#options.ask(node).then((role) => {
          if (role === "primary") {
            if (node === this.#doubtful) doubtful = node;
            else resolve(node);
          }
        }, (error) => void failures.push(error)).then(settle);
      }
    });
  }
}

/** What is asked of a node over a connection that has been made; see {@link roleIn}. */
export const ROLE_QUESTIONS = {
  /** On every server that is one. */
  flags: "show global variables where variable_name in ('read_only', 'super_read_only', 'offline_mode')",
  /** On MySQL with Group Replication, for an account that may read it. */
  group: "select member_id = @@server_uuid as own, member_state as state, member_role as role " +
    "from performance_schema.replication_group_members",
} as const;

/** A row of {@link ROLE_QUESTIONS.group}. */
export interface GroupMember {
  readonly own: unknown;
  readonly state: unknown;
  readonly role: unknown;
}

/**
 * What a node is by its own words.
 * @param flags names and values of server variables
 * @param members the group as the node sees it; empty where there is none, or where it may not be read
 */
export function roleIn(flags: ReadonlyMap<string, string>, members: readonly GroupMember[]): NodeRole {
  const isOn = (name: string) => /^(on|1)$/i.test(flags.get(name) ?? "");
  if (isOn("read_only") || isOn("super_read_only") || isOn("offline_mode")) return "read_only";
  const own = members.find((member) => Number(member.own) === 1);
  if (own === undefined || own.state === "OFFLINE") return "primary"; // in no group
  const online = members.filter(({ state }) => state === "ONLINE").length;
  // One that has been cut off from the others still calls itself primary, and waits for ever with every write.
  const hasMajority = online * 2 > members.length;
  return own.state === "ONLINE" && own.role === "PRIMARY" && hasMajority ? "primary" : "read_only";
}

/** The nodes as one text, for people. */
export function namesOf(nodes: readonly DatabaseNode[]): string {
  return nodes.map(nodeName).join(", ");
}
