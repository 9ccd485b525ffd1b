/**
 * The rules of a table on MySQL and MariaDB beside its columns: keys, foreign keys, CHECKs, triggers, views.
 * @module
 */
import { SESSIONS } from "../schema.ts";
import { wholeColumns } from "../table_shape.ts";
import type { IndexShape, TableShape } from "../shapes.ts";
import { type Draft, quoted } from "./draft.ts";
import { FIELD_SET, FIELDS } from "./judgement.ts";

/** Judges them all; after the columns, since a foreign key to one that changes its type is in the way. */
export function judgeRules(table: TableShape, draft: Draft): void {
  judgePrimaryKey(table, draft);
  judgeIndexes(table, draft);
  judgeForeignKeys(table, draft);
  judgeChecks(table, draft);
  judgeTriggers(table, draft);
  for (const view of table.views) draft.notes.push(`The view ${view} stays as it is.`);
}

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

function judgeForeignKeys(table: TableShape, draft: Draft): void {
  for (const { name, table: other, columns } of table.foreignKeys) {
    const refuses = columns.some((column) => FIELD_SET.has(column)) ||
      columns.every((column) => table.columns.get(column)?.nullable === false);
    if (refuses) {
      draft.mended(
        `has the foreign key ${name} to ${other}, which could refuse a session, and none is expected over the ` +
          "contract's columns or over those that have to have a value",
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

function judgeTriggers({ triggers }: TableShape, draft: Draft): void {
  for (const { name, before } of triggers) {
    if (before) {
      draft.refused(
        `has the trigger ${name}, which runs before a row is written and could change or refuse it`,
        `Look at what it does, and run: drop trigger ${quoted(name)};`,
      );
    } else {
      draft.notes.push(
        `The trigger ${name} stays, and runs after each write; a write that it fails is lost.`,
      );
    }
  }
}
