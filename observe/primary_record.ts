/**
 * Which of the database's nodes takes writes, for the log and the figures. One that stands alone always does.
 * @module
 */
import type { Log } from "../whatsapp/log.ts";

export class PrimaryRecord {
  readonly nodes: readonly string[];
  readonly #log: Log;
  #primary: string | null;
  #failovers = 0;

  /** @param nodes as `DATABASE_URL` names them; none where the database is a file */
  constructor(nodes: readonly string[], log: Log) {
    this.nodes = nodes;
    this.#log = log;
    this.#primary = nodes.length === 1 ? nodes[0]! : null;
  }

  /** The node that took writes when this was last looked at; null before it was for the first time. */
  get primary(): string | null {
    return this.#primary;
  }

  /** How often another node has taken over. */
  get failovers(): number {
    return this.#failovers;
  }

  /** This node takes writes from now on. */
  note(node: string): void {
    const before = this.#primary;
    this.#primary = node;
    if (before === null) return this.#log.info({ event: "database_primary", node });
    if (before === node) return;
    this.#failovers++;
    this.#log.warn({ event: "database_primary", node, before });
  }
}
