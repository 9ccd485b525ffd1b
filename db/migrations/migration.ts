/**
 * What a migration is.
 * @module
 */
import type { DialectName } from "../dialect.ts";

/**
 * One step of the schema. Append-only: a released migration never changes. Every statement may be run
 * twice, because MySQL commits at each of them and a crash can fall between any two.
 */
export interface Migration {
  /** `0001_what`; applied in this order. */
  readonly name: string;
  /** One line for an operator. */
  readonly purpose: string;
  readonly statements: Readonly<Record<DialectName, readonly string[]>>;
}
