/**
 * What each column of the contract's table has to be on MySQL and MariaDB, and what it is altered into otherwise.
 * @module
 */
import { QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import type { ColumnShape } from "../shapes.ts";
import { INSTANTS } from "./judgement.ts";

/** One of the contract's columns. */
export interface ColumnDemand {
  readonly column: string;
  /** Completes "… is expected". */
  readonly expected: string;
  readonly nullable: boolean;
  readonly accepts: (column: ColumnShape) => boolean;
  /** The type that it gets where its own is not accepted. */
  readonly type: string;
  /** Characters that this type holds; null where that is more than any row has, or no text. */
  readonly length: number | null;
  /** Whether a value of the column's type can be told in this one; otherwise somebody has to see to it first. */
  readonly converts: (column: ColumnShape) => boolean;
  /** What a row gets where the column is missing; null where nobody could say. */
  readonly missing: string | null;
}

const UTF8 = "character set utf8mb4";
const ASCII = "character set ascii collate ascii_bin";
const TEXT = /^(char|varchar|tinytext|text|mediumtext|longtext)$/;
const BYTES = /^(binary|varbinary|tinyblob|blob|mediumblob|longblob)$/;
const NUMBER = /^(tinyint|smallint|mediumint|int|bigint|decimal)$/;

function holds(column: ColumnShape, length: number): boolean {
  return TEXT.test(column.type) && (column.length ?? 0) >= length;
}

function isEnumOf(column: ColumnShape, names: readonly string[]): boolean {
  return column.type === "enum" && names.every((name) => column.declared.includes(`'${name}'`));
}

function isWritten({ type }: ColumnShape): boolean {
  return TEXT.test(type) || BYTES.test(type) || NUMBER.test(type) || type === "enum" || type === "set";
}

function text(
  column: string,
  nullable: boolean,
  atLeast: number,
  type: string,
  length: number | null,
  missing: string | null = "null",
): ColumnDemand {
  return {
    column,
    nullable,
    expected: `text of at least ${atLeast} characters`,
    accepts: (shape) => holds(shape, atLeast),
    type,
    length,
    converts: isWritten,
    missing,
  };
}

function frozen(column: string, names: readonly string[], missing: string): ColumnDemand {
  const length = Math.max(...names.map((name) => name.length));
  return {
    ...text(column, false, length, `varchar(16) ${ASCII}`, 16, missing),
    expected: `text of at least ${length} characters or an ENUM of ${names.join(", ")}`,
    accepts: (shape) => holds(shape, length) || isEnumOf(shape, names),
  };
}

function instant(column: string, nullable: boolean): ColumnDemand {
  return {
    column,
    nullable,
    expected: "DATETIME(3) or TIMESTAMP(3)",
    accepts: ({ type, fraction }) => /^(datetime|timestamp)$/.test(type) && (fraction ?? 0) >= 3,
    type: "datetime(3)",
    length: null,
    converts: ({ type }) => /^(datetime|timestamp|date)$/.test(type) || TEXT.test(type),
    missing: nullable ? "null" : "default current_timestamp(3)",
  };
}

/** Every column, in the contract's order. */
export const MYSQL_COLUMNS: readonly ColumnDemand[] = [
  {
    column: "id",
    nullable: false,
    expected: "a whole number with AUTO_INCREMENT",
    accepts: ({ type, autoIncrement }) => autoIncrement && /^(medium|big)?int$/.test(type),
    type: "bigint",
    length: null,
    converts: ({ type }) => /^(tiny|small|medium|big)?int$/.test(type),
    missing: "auto_increment",
  },
  {
    ...text("instance_id", false, 64, `varchar(64) ${ASCII}`, 64, null),
    expected: "text of at least 64 characters with a collation that ends in _bin or _cs",
    accepts: (shape) => holds(shape, 64) && /_(bin|cs)$/.test(shape.collation ?? ""),
  },
  text("phone_number", true, 16, `varchar(32) ${UTF8}`, 32),
  frozen("status", SESSION_STATUSES, "default 'init'"),
  frozen("qr_status", QR_STATUSES, "default 'none'"),
  text("qr_string", true, 16_384, `mediumtext ${UTF8}`, null),
  ...INSTANTS.slice(0, 4).map(({ column, nullable }) => instant(column, nullable)),
  text("last_error_code", true, 32, `varchar(64) ${UTF8}`, 64),
  text("last_error_message", true, 255, `varchar(1024) ${UTF8}`, 1_024),
  ...INSTANTS.slice(4).map(({ column, nullable }) => instant(column, nullable)),
];

/** What the column is, in a few words. */
export function describeColumn(column: ColumnShape): string {
  const declared = column.declared === "" ? "without a type" : column.declared;
  const collation = column.name === "instance_id" && column.collation
    ? ` with collation ${column.collation}`
    : "";
  const counting = column.name === "id" && !column.autoIncrement ? " without auto-increment" : "";
  return `${declared}${collation}${counting}`;
}
