/**
 * Which rows of a table that is there already cannot be taken over, and why. The first of each kind are named, the
 * others counted, so that what is said of a big table stays short.
 * @module
 */
import { INSTANCE_ID, QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import { INSTANTS, type RowDemands } from "./judgement.ts";

/** A row as its database gives it: the contract's columns, `qr_string` as its length. */
export type RawRow = Readonly<Record<string, unknown>>;

/** What is wrong with some rows. */
export interface RowFault {
  /** Completes "… rows: ". */
  readonly what: string;
  /** How many rows. */
  readonly rows: number;
  /** The first of them: the `instance_id` and, where it says more, the value. */
  readonly named: readonly string[];
}

/** So many rows are named of each kind of fault. */
export const NAMED = 20;

/** Goes through rows and keeps what is wrong with them. */
export class RowInspection {
  readonly #demands: RowDemands;
  readonly #faults = new Map<string, { rows: number; named: string[] }>();
  readonly #seen = new Map<string, Set<string>>();

  constructor(demands: RowDemands) {
    this.#demands = demands;
    for (const column of demands.unique) this.#seen.set(column, new Set());
  }

  /** Everything that is wrong so far, in the order in which it was found. */
  get faults(): RowFault[] {
    return [...this.#faults].map(([what, fault]) => ({ what, ...fault }));
  }

  inspect(row: RawRow): void {
    const name = nameOf(row);
    this.#inspectName(row, name);
    this.#inspectFrozen(row, "status", SESSION_STATUSES, name);
    this.#inspectFrozen(row, "qr_status", QR_STATUSES, name);
    for (const { column, nullable } of INSTANTS) this.#inspectInstant(row, column, nullable, name);
    for (const [column, length] of this.#demands.lengths) this.#inspectLength(row, column, length, name);
    for (const [column, seen] of this.#seen) {
      if (!(column in row)) continue;
      const value = textOf(row[column]);
      if (column === "id" && value === null) this.#add("id is NULL", name);
      else if (value !== null && seen.has(value)) this.#add(`${column} is there more than once`, name);
      else if (value !== null) seen.add(value);
    }
  }

  #inspectName({ instance_id, id }: RawRow, name: string): void {
    if (instance_id === null) this.#add("instance_id is NULL", `the row with id ${id ?? "unknown"}`);
    else if (!INSTANCE_ID.test(textOf(instance_id) ?? "")) {
      this.#add("instance_id is not 1 to 64 letters, digits, or _ . : - after the first", name);
    }
  }

  #inspectFrozen(row: RawRow, column: string, names: readonly string[], name: string): void {
    if (!(column in row)) return;
    const value = textOf(row[column]);
    if (value === null) this.#add(`${column} is NULL`, name);
    else if (!names.includes(value)) {
      this.#add(`${column} is none of ${names.join(", ")}`, `${name} (${shown(value)})`);
    }
  }

  #inspectInstant(row: RawRow, column: string, nullable: boolean, name: string): void {
    if (!(column in row)) return;
    const value = row[column];
    if (value === null) {
      if (!nullable) this.#add(`${column} is NULL`, name);
      return;
    }
    const text = typeof value === "string" && this.#demands.dates.has(column) ? `${value} 00:00:00` : value;
    const form = this.#demands.textInstants.has(column) ? BARE : ANY;
    if (typeof text === "string" && isInstant(text, form)) return;
    this.#add(`${column} is no instant`, `${name} (${shown(String(textOf(value)))})`);
  }

  #inspectLength(row: RawRow, column: string, length: number, name: string): void {
    const value = row[column];
    if (value === null || value === undefined || column === "instance_id") return;
    if ([...textOf(value) ?? ""].length <= length) return;
    this.#add(`${column} has more than ${length} characters`, name);
  }

  #add(what: string, row: string): void {
    const fault = this.#faults.get(what) ?? { rows: 0, named: [] };
    fault.rows++;
    if (fault.named.length < NAMED) fault.named.push(row);
    this.#faults.set(what, fault);
  }
}

function nameOf({ instance_id, id }: RawRow): string {
  const text = textOf(instance_id ?? null);
  return text === null ? `the row with id ${id ?? "unknown"}` : INSTANCE_ID.test(text) ? text : shown(text);
}

/** Short, on one line, and told apart from what surrounds it. */
function shown(value: string): string {
  const characters = [...value];
  return JSON.stringify(characters.length > 70 ? `${characters.slice(0, 70).join("")}…` : value);
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

/** What the store reads; and what MySQL takes for an instant in a text, whose zone it would not understand. */
const ANY = /^(\d{4}-\d\d-\d\d)[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;
const BARE = /^(\d{4}-\d\d-\d\d)[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$/;

/** Whether there is such a day at such a time: MySQL keeps `0000-00-00` and, where it is told to, February 31st. */
function isInstant(text: string, form: RegExp): boolean {
  const [, date] = form.exec(text) ?? [];
  if (date === undefined || date < "1000") return false;
  const day = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date);
}
