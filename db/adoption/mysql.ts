/**
 * Whether a table that is there already can be taken over on MySQL and MariaDB, and the one `ALTER TABLE` that makes it
 * so: it is carried out as a whole or not at all.
 * @module
 */
import { QR_STATUSES, SESSION_STATUSES } from "../../domain/names.ts";
import { withoutStrings } from "../mysql_shape.ts";
import { SESSIONS } from "../schema.ts";
import { type ColumnShape, type IndexShape, type TableShape, wholeColumns } from "../table_shape.ts";
import { FIELD_SET, FIELDS, type Flaw, INSTANTS, type Judgement } from "./judgement.ts";
import { type ColumnDemand, describeColumn, MYSQL_COLUMNS } from "./mysql_columns.ts";

/** The table's rules as they are gone through. */
class Draft {
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
    draft.changes.push("engine = InnoDB");
  }
  if (table.partitioned) {
    draft.mended("has partitions, and none are expected: instance_id is unique in all of it");
  }
  for (const demand of MYSQL_COLUMNS) judgeColumn(table, demand, draft);
  for (const column of table.columns.values()) {
    if (!FIELD_SET.has(column.name)) judgeOwnColumn(column, draft);
  }
  judgePrimaryKey(table, draft);
  judgeIndexes(table, draft);
  judgeForeignKeys(table, draft);
  judgeChecks(table, draft);
  for (const { name, before } of table.triggers) {
    if (before) {
      draft.refused(
        `has the trigger ${name}, which runs before a row is written and could change or refuse it`,
        `Look at what it does, and run: drop trigger ${quoted(name)};`,
      );
    } else {draft.notes.push(
        `The trigger ${name} stays, and runs after each write; a write that it fails is lost.`,
      );}
  }
  for (const view of table.views) draft.notes.push(`The view ${view} stays as it is.`);
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
    else {draft.refused(
        what,
        "Replace it by an ordinary column of the same name, with the values that it has now.",
      );}
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

// ── Keys ─────────────────────────────────────────────────────────────────────────────────────────

function judgePrimaryKey(table: TableShape, draft: Draft): void {
  if (table.primaryKey.join() === "id") return;
  draft.mended("column id is not the primary key, and a primary key of id alone is expected");
  if (table.primaryKey.length > 0) draft.drops.push("drop primary key");
  draft.additions.push("add primary key (id)");
  if (table.columns.has("id") && !isUnique(table, "id")) draft.unique.add("id");
}

function isUnique({ indexes, primaryKey }: TableShape, column: string): boolean {
  return primaryKey.join() === column ||
    indexes.some((index) => index.unique && wholeColumns(index)?.join() === column);
}

function judgeIndexes(table: TableShape, draft: Draft): void {
  const isIndexed = table.indexes.some((index) =>
    index.unique && wholeColumns(index)?.join() === "instance_id"
  );
  if (table.columns.has("instance_id") && !isIndexed) {
    draft.mended("column instance_id has no unique index of its own, and one is expected");
    if (!isUnique(table, "instance_id")) draft.unique.add("instance_id");
    draft.additions.push(`add unique key ${freeName(table)} (instance_id)`);
  }
  for (const index of table.indexes) {
    if (!index.unique) continue;
    const isHarmless = index.parts.some(({ column, prefix }) =>
      prefix === null && (column === "instance_id" || column === "id")
    );
    if (isHarmless) continue;
    const [first] = index.parts;
    draft.mended(
      `column ${
        first?.column ?? "(an expression)"
      } has the unique index ${index.name}, and none but instance_id's is expected`,
    );
    draft.drops.push(`drop key ${quoted(index.name)}`);
    const ordinary = ordinaryKey(index);
    if (ordinary !== null) draft.additions.push(ordinary);
  }
}

/** The same index for looking things up; null where there can be none. */
function ordinaryKey({ name, parts, hashed }: IndexShape): string | null {
  if (hashed || parts.some(({ column }) => column === null)) return null;
  const columns = parts.map(({ column, prefix }) =>
    `${quoted(column ?? "")}${prefix === null ? "" : `(${prefix})`}`
  );
  return `add key ${quoted(name)} (${columns.join(", ")})`;
}

function freeName({ indexes }: TableShape): string {
  const taken = new Set(indexes.map(({ name }) => name.toLowerCase()));
  let name = `${SESSIONS}_instance_id`;
  while (taken.has(name)) name += "_";
  return name;
}

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

function judgeForeignKeys(table: TableShape, draft: Draft): void {
  for (const { name, table: other, columns } of table.foreignKeys) {
    const refuses = columns.some((column) => FIELD_SET.has(column)) ||
      columns.every((column) => table.columns.get(column)?.nullable === false);
    if (refuses) {
      draft.mended(
        `has the foreign key ${name} to ${other}, which could refuse a session, and none of the contract's columns ` +
          "nor of those that have to have a value is expected to have one",
      );
      draft.drops.push(`drop foreign key ${quoted(name)}`);
    } else draft.notes.push(`The foreign key ${name} to ${other} stays.`);
  }
  for (const { name, table: other, columns } of table.referencedBy) {
    const changed = columns.filter((column) => draft.retyped.has(column));
    if (changed.length === 0) {
      draft.notes.push(`The foreign key ${name} of ${other} stays; the service deletes no row.`);
      continue;
    }
    draft.refused(
      `column ${changed[0]} changes its type, and the foreign key ${name} of ${other} leads to it`,
      `Run: alter table ${quoted(other)} drop foreign key ${
        quoted(name)
      }; and make it again afterwards, over a column ` +
        "of the new type.",
    );
  }
}

function judgeChecks(table: TableShape, draft: Draft): void {
  for (const { name, column, speaksOf } of table.checks) {
    if (column !== null && FIELD_SET.has(column)) continue; // altered with its column
    if (!speaksOf(FIELDS)) continue;
    const what = `has the CHECK ${name ?? `of ${column}`}, and none that could refuse a session is expected`;
    if (name === null) draft.refused(what, `Take the CHECK from the definition of ${column}.`);
    else {
      draft.mended(what);
      draft.drops.push(`drop constraint ${quoted(name)}`);
    }
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
