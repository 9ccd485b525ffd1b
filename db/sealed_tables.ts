/**
 * Every table that holds sealed bytes, in one form: for what goes over all of them.
 * @module
 */
import { type RawBuilder, sql } from "kysely";
import type { SealPlace } from "./sealing.ts";
import { CREDENTIALS, HELD_KEYS, LOGIN_KIND, RETIRED_LOGINS } from "./schema.ts";

/** A table with the columns `sealed` and `key_id`. */
export interface SealedTable {
  readonly table: typeof CREDENTIALS | typeof RETIRED_LOGINS | typeof HELD_KEYS;
  /** The columns of the primary key, in its order. */
  readonly primaryKey: readonly string[];
  /** Where the seal of a row is bound to. */
  readonly placeOf: (row: SealedRow) => SealPlace;
}

/** A whole row. */
export interface SealedRow {
  readonly instance_id: string;
  readonly sealed: Uint8Array | null;
  readonly key_id: string | null;
  readonly [column: string]: unknown;
}

/** Every table with sealed bytes, and what each row's seal is bound to. */
export const SEALED_TABLES: readonly SealedTable[] = [
  { table: CREDENTIALS, primaryKey: ["instance_id", "kind", "name"], placeOf: namedPlace },
  {
    table: RETIRED_LOGINS,
    primaryKey: ["id"],
    placeOf: ({ instance_id }) => ({ instanceId: instance_id, kind: LOGIN_KIND, name: "" }),
  },
  { table: HELD_KEYS, primaryKey: ["login_id", "kind", "name"], placeOf: namedPlace },
];

function namedPlace({ instance_id, kind, name }: SealedRow): SealPlace {
  return { instanceId: instance_id, kind: String(kind), name: UTF8.decode(name as Uint8Array) };
}

/** With the byte order mark left alone: it may begin an id. */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The rows after this one, in the order of the primary key; all of them after none. Written out: MySQL finds no
 * range in a comparison of whole rows.
 */
export function rowsAfter(
  { primaryKey }: Pick<SealedTable, "primaryKey">,
  row: Readonly<Record<string, unknown>> | undefined,
): RawBuilder<boolean> {
  const [first] = primaryKey;
  if (row === undefined || first === undefined) return sql<boolean>`1 = 1`;
  const beyond = primaryKey.reduceRight<RawBuilder<boolean> | undefined>((rest, column) => {
    const further = sql<boolean>`${sql.ref(column)} > ${row[column]}`;
    return rest === undefined
      ? further
      : sql<boolean>`(${further} or (${sql.ref(column)} = ${row[column]} and ${rest}))`;
  }, undefined)!;
  return sql<boolean>`${sql.ref(first)} >= ${row[first]} and ${beyond}`;
}
