/**
 * Whether a table that is there already can be taken over on SQLite, and the statements that make it so. SQLite alters
 * next to nothing in place, so the table is rebuilt, in one transaction: rows, ids, the client's own columns and
 * indexes are kept. What SQLite does not tell piece by piece would be lost, and is refused.
 * @module
 */
import { SESSIONS } from "../schema.ts";
import { wholeColumns } from "../table_shape.ts";
import type { ColumnShape, IndexShape, TableShape } from "../shapes.ts";
import { FIELD_SET, type Flaw, INSTANTS, type Judgement } from "./judgement.ts";

interface ColumnDemand {
  readonly column: string;
  readonly expected: string;
  readonly nullable: boolean;
  readonly accepts: (column: ColumnShape) => boolean;
  /** As the product makes it. */
  readonly definition: string;
  /** What a row gets where the column is missing; null where nobody could say. */
  readonly missing: string | null;
  /** Whether a value of the column's kind can be told in this one. */
  readonly converts: (column: ColumnShape) => boolean;
}

const isText = ({ type }: ColumnShape) => /char|clob|text/.test(type);

/** SQLite enforces no lengths, so the kind of a column is all there is to check. */
function text(column: string, nullable: boolean, missing: string | null = "null"): ColumnDemand {
  const definition = nullable ? "text" : "text not null";
  return { column, nullable, expected: "TEXT", accepts: isText, definition, missing, converts: () => true };
}

const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

const COLUMNS: readonly ColumnDemand[] = [
  {
    column: "id",
    nullable: false,
    expected: "INTEGER PRIMARY KEY",
    accepts: ({ autoIncrement }) => autoIncrement,
    definition: "integer primary key autoincrement",
    missing: "null",
    converts: ({ type }) => /int/.test(type),
  },
  {
    ...text("instance_id", false, null),
    expected: "TEXT compared byte for byte",
    accepts: (shape) => isText(shape) && (shape.collation ?? "BINARY") === "BINARY",
    definition: "text not null unique",
  },
  text("phone_number", true),
  text("status", false, "'init'"),
  text("qr_status", false, "'none'"),
  text("qr_string", true),
  ...INSTANTS.map(({ column, nullable }): ColumnDemand => ({
    ...text(column, nullable, nullable ? "null" : NOW),
    expected: "TEXT or a date type",
    accepts: (shape) => isText(shape) || /date|time/.test(shape.type),
    converts: (shape) => isText(shape) || /date|time/.test(shape.type),
  })),
  text("last_error_code", true),
  text("last_error_message", true),
];

/** Everything about the table that matters. */
export function judgeSqlite(table: TableShape): Judgement {
  const flaws: Flaw[] = [];
  const notes: string[] = [];
  const unique = new Set<string>();
  const mended = (what: string) => flaws.push({ what, todo: null });
  if (table.kind === "view") {
    flaws.push({ what: "is a view, and a table is expected", todo: "Give the view another name." });
  } else {
    for (const demand of COLUMNS) flaws.push(...flawsOf(table, demand));
    for (const column of table.columns.values()) {
      if (FIELD_SET.has(column.name) || column.nullable || column.hasDefault || column.generated !== null) {
        continue;
      }
      mended(
        `column ${column.name} is NOT NULL without a default, and a column beside the contract's is expected to have ` +
          "one or to be nullable",
      );
    }
    if (table.primaryKey.join() !== "id") {
      mended("column id is not the primary key, and a primary key of id alone is expected");
    }
    const hasId = table.columns.get("id")?.autoIncrement ?? !table.columns.has("id");
    if (!hasId) unique.add("id");
    const isIndexed = table.indexes.some((index) =>
      index.unique && wholeColumns(index)?.join() === "instance_id"
    );
    if (table.columns.has("instance_id") && !isIndexed) {
      mended("column instance_id has no unique index of its own, and one is expected");
      if (table.primaryKey.join() !== "instance_id") unique.add("instance_id");
    }
    for (const index of table.indexes.filter(isInTheWay)) {
      const first = index.parts[0]?.column ?? "(an expression)";
      mended(`column ${first} has a unique index, and none but instance_id's is expected`);
    }
    judgeRules(table, flaws, notes);
  }
  // What cannot be kept is in the way of a rebuilding alone.
  if (flaws.length > 0 && table.kind === "table") flaws.push(...lostBy(table));
  const isMendable = flaws.length > 0 && flaws.every(({ todo }) => todo === null);
  return {
    flaws,
    notes,
    zoneless: INSTANTS.map(({ column }) => column).filter((name) => table.columns.has(name)),
    statements: isMendable ? rebuild(table) : [],
    demands: { lengths: new Map(), textInstants: new Set(), dates: new Set(), unique },
  };
}

function flawsOf(
  table: TableShape,
  { column: name, expected, nullable, accepts, converts, missing }: ColumnDemand,
): Flaw[] {
  const wanted = `${expected}${nullable ? ", nullable," : ""} is expected`;
  const column = table.columns.get(name);
  if (column === undefined) {
    return [{
      what: `column ${name} is missing, and ${wanted}`,
      todo: missing === null ? "Add it, and give every row its own." : null,
    }];
  }
  if (column.generated !== null) {
    return [{
      what: `column ${name} is generated, and a column that can be written is expected`,
      todo: null,
    }];
  }
  const flaws: Flaw[] = [];
  if (!accepts(column)) {
    const declared = column.declared === "" ? "without a type" : column.declared;
    const collation = name === "instance_id" && column.collation ? ` with collation ${column.collation}` : "";
    flaws.push({
      what: `column ${name} is ${declared}${collation}, and ${wanted}`,
      todo: converts(column)
        ? null
        : `Nobody can say what its values mean: write them as ${expected} yourself.`,
    });
  }
  if (nullable && !column.nullable) {
    flaws.push({ what: `column ${name} is NOT NULL, and ${wanted}`, todo: null });
  }
  return flaws;
}

function isInTheWay({ unique, parts }: IndexShape): boolean {
  return unique && !parts.some(({ column }) => column === "instance_id" || column === "id");
}

function judgeRules(table: TableShape, flaws: Flaw[], notes: string[]): void {
  for (const { name, before } of table.triggers) {
    if (before) {
      flaws.push({
        what: `has the trigger ${name}, which runs before a row is written and could refuse it`,
        todo: `Look at what it does, and run: drop trigger "${name}";`,
      });
    } else notes.push(`The trigger ${name} stays, and runs after each write; a write that it fails is lost.`);
  }
  for (const { name, table: other, columns } of table.foreignKeys) {
    const refuses = columns.some((column) => FIELD_SET.has(column));
    if (refuses) {
      flaws.push({
        what: `has a foreign key ${name} to ${other}, which could refuse a session`,
        todo: "Make the table anew without it, and copy the rows.",
      });
    } else notes.push(`The foreign key ${name} to ${other} stays.`);
  }
  for (const { name, table: other } of table.referencedBy) {
    notes.push(`The foreign key ${name} of ${other} stays.`);
  }
  if (table.checks.some(({ speaksOf }) => speaksOf(FIELD_SET))) {
    flaws.push({
      what: "has a CHECK, and none that could refuse a session is expected",
      todo: "Make the table anew without it, and copy the rows.",
    });
  }
  for (const view of table.views) notes.push(`The view ${view} stays as it is.`);
}

function lostBy(table: TableShape): Flaw[] {
  const what = (rule: string) => `has ${rule}, which would be lost when the table is rebuilt`;
  const todo = "Make the table anew as the contract wants it, and copy the rows.";
  return [
    ...[...new Set(table.untold)].filter((rule) => rule !== "a COLLATE" || !isOnlyTheNames(table))
      .map((rule) => ({ what: what(rule), todo })),
    ...table.triggers.filter(({ before }) => !before).map(({ name }) => ({
      what: what(`the trigger ${name}`),
      todo: "Drop it, and make it again afterwards.",
    })),
  ];
}

/** Whether the only collation is that of `instance_id`, which is to go. */
function isOnlyTheNames({ columns }: TableShape): boolean {
  return [...columns.keys()].every((name) => FIELD_SET.has(name));
}

const NEW = `${SESSIONS}_rebuilt`;

function rebuild(table: TableShape): string[] {
  const own = [...table.columns.values()].filter(({ name, generated }) =>
    !FIELD_SET.has(name) && generated === null
  );
  const columns = [
    ...COLUMNS.map(({ column, definition }) => `${column} ${definition}`),
    ...own.map(({ name, declared, definition, nullable, hasDefault }) =>
      [quoted(name), declared, ...(nullable || !hasDefault ? [] : ["not null"]), definition].filter(Boolean)
        .join(" ")
    ),
  ];
  const names = [...COLUMNS.map(({ column }) => column), ...own.map(({ name }) => quoted(name))];
  const values = names.map((name) => {
    const demand = COLUMNS.find(({ column }) => column === name);
    return demand !== undefined && !table.columns.has(name) ? demand.missing : name;
  });
  const order = table.columns.has("id") ? "id" : "rowid";
  return [
    `create table ${NEW} (\n  ${columns.join(",\n  ")}\n)`,
    `insert into ${NEW} (${names.join(", ")})\n  select ${
      values.join(", ")
    } from ${SESSIONS} order by ${order}`,
    // An id that was given once is not given again.
    `update sqlite_sequence set seq = max(seq, coalesce((select seq from sqlite_sequence where name = '${SESSIONS}'), 0))
  where name = '${NEW}'`,
    `drop table ${SESSIONS}`,
    `alter table ${NEW} rename to ${SESSIONS}`,
    ...table.indexes.flatMap(indexAgain),
  ];
}

function indexAgain(index: IndexShape): string[] {
  if (wholeColumns(index)?.join() === "instance_id" && index.unique) return [];
  if (!index.unique && index.statement !== null) return [index.statement];
  if (!isInTheWay(index)) {
    const columns = index.parts.map(({ column }) => quoted(column ?? "")).join(", ");
    return [
      index.statement ??
        `create unique index ${quoted(`${SESSIONS}_${index.parts.length}`)} on ${SESSIONS} (${columns})`,
    ];
  }
  if (index.statement !== null) return [index.statement.replace(/^(\s*create\s+)unique\s+/i, "$1")];
  const columns = index.parts.map(({ column }) => column ?? "");
  return [
    `create index ${quoted(`${SESSIONS}_${columns.join("_")}`)} on ${SESSIONS} (${
      columns.map(quoted).join(", ")
    })`,
  ];
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
