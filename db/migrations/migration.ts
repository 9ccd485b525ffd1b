/**
 * What a migration is.
 * @module
 */
import type { DialectName } from "../dialect.ts";

/**
 * One step of the schema. Append-only: a released migration never changes.
 *
 * Every statement may be run twice, because MySQL commits at each of them and a crash can fall between any two. A table is
 * made with `if not exists`; a column or an index that is there already is not added again (`made.ts`).
 *
 * The version before may be running beside at each of them: there are new tables, new columns that are nullable or have a
 * default, new indexes that are not unique, and columns that hold more than before. Nothing is renamed, narrowed, demanded
 * or dropped that a version knows which may still be running; that is a later migration's, once none does.
 */
export interface Migration {
  /** `0001_what`; applied in this order. */
  readonly name: string;
  /** One line for an operator. */
  readonly purpose: string;
  readonly statements: Readonly<Record<DialectName, readonly string[]>>;
}
