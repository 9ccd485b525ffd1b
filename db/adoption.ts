/**
 * Whether a `ll_whatsapp_qr_sessions` that is already there can be taken over with its rows.
 *
 * It can when every field of the contract fits into its column and no other rule of the table can refuse
 * or misdirect a row:
 *
 * | column | SQLite | MySQL and MariaDB |
 * | --- | --- | --- |
 * | `id` | `INTEGER PRIMARY KEY` | whole number, `AUTO_INCREMENT`, the primary key |
 * | `instance_id` | text, unique, compared byte for byte | text of 64 or more, unique, collation `…_bin` or `…_cs` |
 * | `phone_number` | text | text of 16 or more |
 * | `status`, `qr_status` | text | text of 12 (9) or more, or an `ENUM` with all frozen names |
 * | `qr_string` | text | text of 16,384 or more |
 * | the six instants | text or a date type | `DATETIME` or `TIMESTAMP` with 3 or more digits of a second |
 * | `last_error_code`, `last_error_message` | text | text of 32 (255) or more |
 *
 * Columns that the contract calls `| null` are nullable. Other columns are tolerated when a row can be
 * written without them. Another unique index is not: two sessions may share a phone number. On MySQL the
 * engine is InnoDB, because a session and its credentials are written in one transaction. An instant
 * without milliseconds is refused as well, since the decisions demand them in the database.
 * @module
 */
import { QR_STATUSES, SESSION_STATUSES } from "../domain/names.ts";
import type { DialectName } from "./dialect.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { SESSIONS } from "./schema.ts";
import type { ColumnShape, TableShape } from "./table_shape.ts";

interface Requirement {
  readonly column: string;
  /** Completes "… is expected". */
  readonly expected: string;
  readonly nullable: boolean;
  readonly accepts: (column: ColumnShape) => boolean;
}

/**
 * Checks a table that is there.
 * @throws {DatabaseUnusableError} one sentence with the table, the column, what it is and what is expected
 */
export function checkSessionTable(dialect: DialectName, table: TableShape): void {
  if (!table.isTable) refuse("is a view, and a table is expected");
  if (table.engine !== null && table.engine !== "InnoDB") {
    refuse(`uses the engine ${table.engine}, and InnoDB is expected`);
  }
  const requirements = requirementsOf(dialect);
  for (const requirement of requirements) checkColumn(table, requirement);
  checkKeys(table);
  const known = new Set(requirements.map(({ column }) => column));
  for (const column of table.columns.values()) {
    if (known.has(column.name) || column.nullable || column.hasDefault || column.generated) continue;
    refuse(
      `column ${column.name} is NOT NULL without a default, and a column beside the contract's ` +
        "is expected to have one or to be nullable",
    );
  }
}

function checkColumn(table: TableShape, { column: name, expected, nullable, accepts }: Requirement): void {
  const wanted = `${expected}${nullable ? ", nullable," : ""} is expected`;
  const column = table.columns.get(name);
  if (column === undefined) refuse(`column ${name} is missing, and ${wanted}`);
  if (column.generated) refuse(`column ${name} is generated, and a column that can be written is expected`);
  if (!accepts(column)) refuse(`column ${name} is ${describe(column)}, and ${wanted}`);
  if (nullable && !column.nullable) refuse(`column ${name} is NOT NULL, and ${wanted}`);
}

function checkKeys(table: TableShape): void {
  if (table.primaryKey.join() !== "id") {
    refuse("column id is not the primary key, and a primary key of id alone is expected");
  }
  if (!table.uniqueIndexes.some((index) => index.join() === "instance_id")) {
    refuse("column instance_id has no unique index of its own, and one is expected");
  }
  const other = table.uniqueIndexes.find((index) => !index.includes("instance_id") && !index.includes("id"));
  if (other !== undefined) {
    refuse(`column ${other[0]} has a unique index, and none but instance_id's is expected`);
  }
}

function describe(column: ColumnShape): string {
  const declared = column.declared === "" ? "without a type" : column.declared;
  const collation = column.name === "instance_id" && column.collation
    ? ` with collation ${column.collation}`
    : "";
  const counting = column.name === "id" && !column.autoIncrement ? " without auto-increment" : "";
  return `${declared}${collation}${counting}`;
}

function refuse(what: string): never {
  throw new DatabaseUnusableError(`Table ${SESSIONS}: ${what}; nothing was altered.`);
}

const INSTANTS: readonly { column: string; nullable: boolean }[] = [
  { column: "qr_generated_at", nullable: true },
  { column: "qr_expires_at", nullable: true },
  { column: "connected_at", nullable: true },
  { column: "disconnected_at", nullable: true },
  { column: "created_at", nullable: false },
  { column: "updated_at", nullable: false },
];

function requirementsOf(dialect: DialectName): Requirement[] {
  switch (dialect) {
    case "sqlite":
      return sqliteRequirements();
    case "mysql":
      return mysqlRequirements();
    default:
      return dialect satisfies never;
  }
}

function mysqlRequirements(): Requirement[] {
  const text = (column: string, length: number, nullable: boolean): Requirement => ({
    column,
    nullable,
    expected: `text of at least ${length} characters`,
    accepts: (shape) => isMysqlText(shape, length),
  });
  const frozen = (column: string, names: readonly string[]): Requirement => {
    const length = Math.max(...names.map((name) => name.length));
    return {
      column,
      nullable: false,
      expected: `text of at least ${length} characters or an ENUM of ${names.join(", ")}`,
      accepts: (shape) => isMysqlText(shape, length) || isEnumOf(shape, names),
    };
  };
  return [
    {
      column: "id",
      nullable: false,
      expected: "a whole number with AUTO_INCREMENT",
      accepts: (shape) => shape.autoIncrement && /^(medium|big)?int(eger)?$/.test(shape.type),
    },
    {
      column: "instance_id",
      nullable: false,
      expected: "text of at least 64 characters with a collation that ends in _bin or _cs",
      accepts: (shape) => isMysqlText(shape, 64) && /_(bin|cs)$/.test(shape.collation ?? ""),
    },
    text("phone_number", 16, true),
    frozen("status", SESSION_STATUSES),
    frozen("qr_status", QR_STATUSES),
    text("qr_string", 16_384, true),
    ...INSTANTS.map(({ column, nullable }): Requirement => ({
      column,
      nullable,
      expected: "DATETIME(3) or TIMESTAMP(3)",
      accepts: (shape) => /^(datetime|timestamp)$/.test(shape.type) && (shape.fraction ?? 0) >= 3,
    })),
    text("last_error_code", 32, true),
    text("last_error_message", 255, true),
  ];
}

function isMysqlText(column: ColumnShape, length: number): boolean {
  return /^(char|varchar|tinytext|text|mediumtext|longtext)$/.test(column.type) &&
    (column.length ?? 0) >= length;
}

function isEnumOf(column: ColumnShape, names: readonly string[]): boolean {
  return column.type === "enum" && names.every((name) => column.declared.includes(`'${name}'`));
}

/** SQLite enforces no lengths, so the kind of a column is all there is to check. */
function sqliteRequirements(): Requirement[] {
  const isText = (shape: ColumnShape) => /char|clob|text/.test(shape.type);
  const text = (column: string, nullable: boolean): Requirement => ({
    column,
    nullable,
    expected: "TEXT",
    accepts: isText,
  });
  return [
    {
      column: "id",
      nullable: false,
      expected: "INTEGER PRIMARY KEY",
      accepts: (shape) => shape.autoIncrement,
    },
    {
      column: "instance_id",
      nullable: false,
      expected: "TEXT compared byte for byte",
      accepts: (shape) => isText(shape) && (shape.collation ?? "BINARY") === "BINARY",
    },
    text("phone_number", true),
    text("status", false),
    text("qr_status", false),
    text("qr_string", true),
    ...INSTANTS.map(({ column, nullable }): Requirement => ({
      column,
      nullable,
      expected: "TEXT or a date type",
      accepts: (shape) => isText(shape) || /date|time/.test(shape.type),
    })),
    text("last_error_code", true),
    text("last_error_message", true),
  ];
}
