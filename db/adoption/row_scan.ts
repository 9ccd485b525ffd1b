/**
 * All rows of the contract's table, looked at a page at a time.
 * @module
 */
import { type Kysely, sql } from "kysely";
import { SESSIONS, type Tables } from "../schema.ts";
import type { TableShape } from "../shapes.ts";
import { FIELDS, type RowDemands } from "./judgement.ts";
import { type RawRow, type RowFault, RowInspection } from "./rows.ts";

/** Rows read at a time. */
const PAGE = 2_000;

/** What is wrong with the rows; nothing where they cannot even be told apart. */
export async function inspectRows(
  db: Kysely<Tables>,
  table: TableShape,
  demands: RowDemands,
): Promise<RowFault[]> {
  if (!table.columns.has("instance_id")) return [];
  const inspection = new RowInspection(demands);
  // Big, and never at fault: any text fits.
  const names = FIELDS.filter((name) => name !== "qr_string" && table.columns.has(name));
  const columns = sql.join(names.map((name) => sql.ref(name)));
  const byId = table.primaryKey.join() === "id" && /int/.test(table.columns.get("id")?.type ?? "");
  const from = sql`select ${columns} from ${sql.table(SESSIONS)}`;
  let last: string | null = null;
  for (let read = 0;;) {
    const next: ReturnType<typeof sql<RawRow>> = byId
      ? sql<RawRow>`${from} ${last === null ? sql`` : sql`where id > ${sql.raw(last)}`} order by id limit ${
        sql.lit(PAGE)
      }`
      : sql<RawRow>`${from} order by instance_id limit ${sql.lit(PAGE)} offset ${sql.lit(read)}`;
    const { rows } = await next.execute(db);
    for (const row of rows) inspection.inspect(row);
    if (rows.length < PAGE) return inspection.faults;
    read += rows.length;
    last = /^-?\d+$/.exec(String(rows.at(-1)?.id))?.[0] ?? null;
  }
}
