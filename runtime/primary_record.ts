/**
 * Which of the database's nodes takes writes, for the figures. One that stands alone always does.
 * @module
 */
export class PrimaryRecord {
  readonly nodes: readonly string[];
  readonly #onPrimary: (node: string, before: string | null) => void;
  #primary: string | null;
  #failovers = 0;

  /**
   * @param nodes as `DATABASE_URL` names them; `file` where it is one
   * @param onPrimary told of the node that takes writes, and of the one that did before
   */
  constructor(nodes: readonly string[], onPrimary: (node: string, before: string | null) => void) {
    this.nodes = nodes;
    this.#onPrimary = onPrimary;
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
    if (before === node) return;
    if (before !== null) this.#failovers++;
    this.#onPrimary(node, before);
  }
}
