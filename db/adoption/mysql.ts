/**
 * Whether a table that is there already can be taken over on MySQL and MariaDB, and the one `ALTER TABLE` that makes it
 * so: it is carried out as a whole or not at all.
 * @module
 */
import { QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import { withoutStrings } from "../mysql_shape.ts";
import { SESSIONS } from "../schema.ts";
import type { ColumnShape, TableShape } from "../shapes.ts";
import { Draft, quoted } from "./draft.ts";
import { FIELD_SET, INSTANTS, type Judgement } from "./judgement.ts";
import { type ColumnDemand, describeColumn, MYSQL_COLUMNS } from "./mysql_columns.ts";
import { judgeRules } from "./mysql_rules.ts";

/** Everything about the table that matters. */
export function judgeMysql(table: TableShape): Judgement {
  const draft = new Draft();
  if (table.kind === "view") {
    draft.refused("is a view, and a table is expected", "Give the view another name.");
  } else if (table.kind === "versioned") {
    const todo = `Decide about its history, and run: alter table ${SESSIONS} drop system versioning;`;
    draft.refused("keeps a history of its rows, and a table without system versioning is expected", todo);
  } else judgeTable(table, draft);
  const isMendable = draft.flaws.length > 0 && draft.flaws.every(({ todo }) => todo === null);
  return {
    flaws: draft.flaws,
    notes: draft.notes,
    zoneless: [...table.columns.values()].filter(isZoneless).map(({ name }) => name),
    statements: isMendable ? [alterTable(draft, table)] : [],
    demands: {
      lengths: draft.lengths,
      textInstants: draft.textInstants,
      dates: new Set(
        [...table.columns.values()].filter(({ type }) => type === "date").map(({ name }) => name),
      ),
      unique: draft.unique,
    },
  };
}

function isZoneless({ name, type }: ColumnShape): boolean {
  return type !== "timestamp" && INSTANTS.some(({ column }) => column === name);
}

function alterTable({ drops, changes, additions }: Draft, table: TableShape): string {
  const clauses = [...drops, ...changes, ...additions].map((clause) => `\n  ${clause}`).join(",");
  return `alter table ${SESSIONS}${clauses}${table.partitioned ? "\n  remove partitioning" : ""}`;
}

function judgeTable(table: TableShape, draft: Draft): void {
  if (table.engine !== "InnoDB") {
    draft.mended(`uses the engine ${table.engine}, and InnoDB is expected`);
    // Another engine's row format may be none of InnoDB's.
    draft.changes.push("engine = InnoDB", "row_format = default");
  }
  if (table.partitioned) {
    draft.mended("has partitions, and none are expected: instance_id is unique in all of it");
  }
  for (const demand of MYSQL_COLUMNS) judgeColumn(table, demand, draft);
  for (const column of table.columns.values()) {
    if (!FIELD_SET.has(column.name)) judgeOwnColumn(column, draft);
  }
  judgeRules(table, draft);
}

// ── Columns ──────────────────────────────────────────────────────────────────────────────────────

function judgeColumn(table: TableShape, demand: ColumnDemand, draft: Draft): void {
  const { column: name, nullable } = demand;
  const wanted = `${demand.expected}${nullable ? ", nullable," : ""} is expected`;
  const column = table.columns.get(name);
  if (column === undefined) return judgeMissing(demand, wanted, draft);
  const before = draft.flaws.length;
  const isFit = demand.accepts(column);
  if (column.generated !== null) {
    const what = `column ${name} is generated, and a column that can be written is expected`;
    if (column.generated === "stored") draft.mended(what);
    else {
      draft.refused(
        what,
        "Replace it by an ordinary column of the same name, with the values that it has now.",
      );
    }
  } else if (!isFit) {
    const what = `column ${name} is ${describeColumn(column)}, and ${wanted}`;
    if (demand.converts(column)) draft.mended(what);
    else draft.refused(what, conversion(demand, column));
  }
  if (nullable && !column.nullable) draft.mended(`column ${name} is NOT NULL, and ${wanted}`);
  // Where the client's own update says when a row was last changed, it is true.
  if (column.onUpdate && name !== "updated_at") {
    draft.mended(
      `column ${name} becomes the present instant with every update, and its own value is expected to stay`,
    );
  }
  if (table.checks.some((check) => check.column === name)) {
    draft.mended(`column ${name} has a CHECK, and none that could refuse a session is expected`);
  }
  if (draft.flaws.length === before) return;
  const keepsType = isFit || (name === "id" && /^(medium|big)?int$/.test(column.type));
  if (!keepsType) {
    draft.retyped.add(name);
    if (demand.length !== null) draft.lengths.set(name, demand.length);
    if (demand.type === "datetime(3)" && column.collation !== null) draft.textInstants.add(name);
  }
  draft.changes.push(`modify column ${name} ${definition(demand, column, keepsType)}`);
}

function judgeMissing(demand: ColumnDemand, wanted: string, draft: Draft): void {
  const { column, type, nullable, missing } = demand;
  const what = `column ${column} is missing, and ${wanted}`;
  if (missing === null) return draft.refused(what, "Add it, and give every row its own.");
  draft.mended(what);
  draft.additions.push(`add column ${column} ${type} ${nullable ? "null" : `not null ${missing}`}`);
  if (missing.includes("current_timestamp")) {
    draft.notes.push(`Rows get the present instant as their ${column}, for nobody knows theirs.`);
  }
}

function conversion({ column, type }: ColumnDemand, shape: ColumnShape): string {
  if (type !== "datetime(3)") return `Nobody can say what its values mean as ${type}: make it that yourself.`;
  return /int|decimal|float|double/.test(shape.type)
    ? `Nobody can say whether it counts seconds or milliseconds: add a datetime(3), fill it (from_unixtime), and give it the name ${column}.`
    : "Nobody can say what instants its values are: make it datetime(3) yourself.";
}

/** The column as it will be: its own type where that fits, its default and comment where they still make sense. */
function definition(
  { type, nullable, column: name }: ColumnDemand,
  column: ColumnShape,
  keepsType: boolean,
): string {
  const own = column.collation === null || column.charset === null
    ? column.declared
    : `${column.declared} character set ${column.charset} collate ${column.collation}`;
  const unsigned = name === "id" && /unsigned/.test(column.declared) ? " unsigned" : "";
  const parts = [keepsType ? own : `${type}${unsigned}`, nullable ? "null" : "not null"];
  if (name === "id") parts.push("auto_increment");
  else if (column.generated === null) parts.push(...keptDefault(name, column));
  const [comment] = / COMMENT '(?:[^'\\]|''|\\.)*'/.exec(column.definition) ?? [];
  if (comment !== undefined) parts.push(comment.trim());
  return parts.join(" ");
}

function keptDefault(name: string, { definition, fraction }: ColumnShape): string[] {
  const names: readonly string[] | null = name === "status"
    ? SESSION_STATUSES
    : name === "qr_status"
    ? QR_STATUSES
    : null;
  const [, literal] = / DEFAULT '([^'\\]*)'/i.exec(definition) ?? [];
  if (names !== null && literal !== undefined && names.includes(literal)) return [`default '${literal}'`];
  const isNow = / DEFAULT current_timestamp/i.test(withoutStrings(definition));
  return isNow && /^(created|updated)_at$/.test(name)
    ? [`default current_timestamp(${Math.max(fraction ?? 0, 3)})`]
    : [];
}

/** A column of the client's own: it stays, as long as a row can be written without it. */
function judgeOwnColumn(column: ColumnShape, draft: Draft): void {
  const { name } = column;
  if (column.autoIncrement) {
    draft.refused(
      `column ${name} is AUTO_INCREMENT, and a table has only one such column, which is expected to be id`,
      `Take AUTO_INCREMENT from ${name}.`,
    );
  } else if (!column.nullable && !column.hasDefault && column.generated === null) {
    draft.mended(
      `column ${name} is NOT NULL without a default, and a column beside the contract's is expected to have one or ` +
        "to be nullable",
    );
    draft.changes.push(`modify column ${quoted(name)} ${nullableDefinition(column.definition)}`);
  }
}

/** The server's own words for the column, `NULL` in place of `NOT NULL`. */
function nullableDefinition(definition: string): string {
  return definition.replaceAll(
    /'(?:[^'\\]|''|\\.)*'|\bNOT NULL\b/g,
    (part) => part === "NOT NULL" ? "NULL" : part,
  );
}
