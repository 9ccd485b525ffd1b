/**
 * A judgement in the making, on MySQL and MariaDB.
 * @module
 */
import type { Flaw } from "./judgement.ts";

/** The table's rules as they are gone through. */
export class Draft {
  readonly flaws: Flaw[] = [];
  readonly notes: string[] = [];
  /** Clauses of the `ALTER TABLE`: what goes, then what changes, then what comes. */
  readonly drops: string[] = [];
  readonly changes: string[] = [];
  readonly additions: string[] = [];
  /** Columns whose type changes. */
  readonly retyped = new Set<string>();
  readonly lengths = new Map<string, number>();
  readonly textInstants = new Set<string>();
  readonly unique = new Set<string>();

  mended(what: string): void {
    this.flaws.push({ what, todo: null });
  }

  refused(what: string, todo: string): void {
    this.flaws.push({ what, todo });
  }
}

/** A name as a statement has it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
