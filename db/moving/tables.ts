/**
 * What is moved from one database to another: which tables, and how a row of one dialect is written in the other.
 * @module
 */
import { Buffer } from "node:buffer";
import { FIELDS, INSTANTS } from "../adoption/judgement.ts";
import { type DialectName, instantFormat } from "../dialect.ts";
import { DatabaseUnusableError } from "../errors.ts";
import { parseInstant } from "../rows.ts";
import {
  type COMMANDS,
  type CREDENTIAL_KEYS,
  CREDENTIALS,
  CURRENT_LOGINS,
  HELD_KEYS,
  type LEASES,
  LINKS,
  type MIGRATIONS,
  type REPLICA_KEYS,
  type REPLICAS,
  RETIRED_LOGINS,
  SESSIONS,
  type Tables,
} from "../schema.ts";

/**
 * They tell of processes, which are not moved, of the schema, which the target has of its own, and of which key seals
 * among replicas, which the first one there finds out by what is sealed.
 */
type Left =
  | typeof REPLICAS
  | typeof LEASES
  | typeof COMMANDS
  | typeof CREDENTIAL_KEYS
  | typeof REPLICA_KEYS
  | typeof MIGRATIONS;
/** The name of a table that is moved. */
export type Moved = Exclude<keyof Tables, Left>;

/** How a table is moved. */
export interface MovedTable {
  readonly table: Moved;
  readonly primaryKey: readonly string[];
  readonly columns: readonly string[];
  /** Those of the columns that are instants. */
  readonly instants: readonly string[];
}

type Columns<Table extends Moved> = readonly (string & keyof Tables[Table])[];

/** Every table has to be here, or to be left. */
const MOVED: {
  readonly [Table in Moved]: { columns: Columns<Table>; key: Columns<Table>; instants: Columns<Table> };
} = {
  [SESSIONS]: {
    key: ["id"],
    columns: FIELDS,
    instants: INSTANTS.map(({ column }) => column as "created_at"),
  },
  [LINKS]: {
    key: ["instance_id"],
    columns: ["instance_id", "standing", "created_at", "updated_at"],
    instants: ["created_at", "updated_at"],
  },
  [CREDENTIALS]: {
    key: ["instance_id", "kind", "name"],
    columns: ["instance_id", "kind", "name", "sealed", "key_id"],
    instants: [],
  },
  [RETIRED_LOGINS]: {
    key: ["id"],
    columns: [
      "id",
      "instance_id",
      "sealed",
      "key_id",
      "held",
      "attempts",
      "retired_at",
      "next_attempt_at",
    ],
    instants: ["retired_at", "next_attempt_at"],
  },
  [HELD_KEYS]: {
    key: ["login_id", "kind", "name"],
    columns: ["login_id", "instance_id", "kind", "name", "sealed", "key_id"],
    instants: [],
  },
  [CURRENT_LOGINS]: {
    key: ["instance_id"],
    columns: ["instance_id", "change_id", "contested_at"],
    instants: ["contested_at"],
  },
};

/** Every table that is moved, in the order in which it is. */
export const MOVED_TABLES: readonly MovedTable[] = (Object.keys(MOVED) as Moved[]).map((table) => {
  const { key, columns, instants } = MOVED[table];
  return { table, primaryKey: key, columns, instants };
});

/** A row as its database gives it. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * The row as this dialect writes it.
 * @throws {DatabaseUnusableError} when what has to be an instant is none
 */
export function translate(
  { table, columns, instants }: MovedTable,
  row: Row,
  dialect: DialectName,
): Record<string, unknown> {
  const format = instantFormat(dialect);
  return Object.fromEntries(columns.map((column) => {
    const value = row[column] ?? null;
    if (value instanceof Uint8Array) return [column, Buffer.from(value)];
    if (value === null || !instants.includes(column)) return [column, value];
    const instant = parseInstant(String(value));
    if (instant !== null) return [column, format(instant)];
    throw new DatabaseUnusableError(
      `Table ${table}, instance ${String(row["instance_id"])}: ${column} is no instant; mend that row first.`,
    );
  }));
}

/** What a row says, whatever database it is in: equal only where the rows are. */
export function essence({ columns, instants }: MovedTable, row: Row): string {
  return JSON.stringify(columns.map((column) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return instants.includes(column) ? parseInstant(String(value)) : String(value);
  }));
}

/** Bytes that a value takes in a statement's text, at most. */
export function sizeOf(row: Row): number {
  let bytes = 0;
  for (const value of Object.values(row)) {
    bytes += 32;
    if (value instanceof Uint8Array) bytes += 2 * value.length;
    if (typeof value === "string") bytes += 2 * Buffer.byteLength(value);
  }
  return bytes;
}
