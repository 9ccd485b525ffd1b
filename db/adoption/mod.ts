/**
 * Taking over a `ll_whatsapp_qr_sessions` that is already there, with its rows.
 *
 * It is taken over as it is when every field of the contract fits into its column and no other rule of the table can
 * refuse or misdirect a row:
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
 * Columns that the contract calls `| null` are nullable. Other columns are tolerated when a row can be written without
 * them. Another unique index is not: two sessions may share a phone number. On MySQL the engine is InnoDB, because a
 * session and its credentials are written in one transaction.
 *
 * Otherwise the table is altered when an operator asks for it: what fits is kept as it is, what does not is made as the
 * product would make it, and what nobody but its owner can decide is refused with what to do about it. Rows are
 * never altered but for `settle.ts`; one that cannot be taken over is named, and then nothing is altered.
 * @module
 */
import type { Kysely } from "kysely";
import type { DialectName } from "../dialect.ts";
import { DatabaseUnusableError } from "../errors.ts";
import { SESSIONS, type Tables } from "../schema.ts";
import type { TableShape } from "../shapes.ts";
import type { Judgement } from "./judgement.ts";
import { judgeMysql } from "./mysql.ts";
import { inspectRows } from "./row_scan.ts";
import type { RowFault } from "./rows.ts";
import { countUnsettled, type Settlement } from "./settle.ts";
import { judgeSqlite } from "./sqlite.ts";

export { settleRows } from "./settle.ts";

/** What is to be said of the table that is there. */
export interface TableReport extends Pick<Judgement, "flaws" | "notes" | "statements"> {
  /** Rows that cannot be taken over. */
  readonly rowFaults: readonly RowFault[];
  /** What the adoption makes of the rows; null where the table is the service's already, or not fit yet. */
  readonly settlement: Settlement | null;
}

/** How closely the table is looked at. */
export interface Scrutiny {
  /** Whether the table is to be taken over, and is not the service's yet. */
  readonly adopts: boolean;
  /** Whether its rows are read in any case. */
  readonly rows: boolean;
}

/** Looks at everything, and alters nothing. */
export async function inspectTable(
  dialect: DialectName,
  db: Kysely<Tables>,
  table: TableShape,
  { adopts, rows }: Scrutiny,
): Promise<TableReport> {
  const { flaws, statements, demands, zoneless, ...judgement } = judge(dialect, table);
  const isForeign = adopts || flaws.length > 0;
  const notes = [
    ...judgement.notes,
    ...(isForeign && zoneless.length > 0
      ? [`An instant without a time zone is taken as UTC: ${zoneless.join(", ")}.`]
      : []),
  ];
  const isReadable = table.kind === "table" && (rows || (adopts && flaws.length === 0));
  const rowFaults = isReadable ? await inspectRows(db, table, demands) : [];
  const canSettle = adopts && table.columns.has("status") && table.columns.has("qr_status");
  const settlement = canSettle && isReadable ? await countUnsettled(db) : null;
  return { flaws, notes, statements, rowFaults, settlement };
}

/** What the shape of a table alone says. */
export function judge(dialect: DialectName, table: TableShape): Judgement {
  switch (dialect) {
    case "sqlite":
      return judgeSqlite(table);
    case "mysql":
      return judgeMysql(table);
    default:
      return dialect satisfies never;
  }
}

/** How a start names the way out. */
const WAY_OUT = "`deno task migrate -- --dry-run` names everything";

/**
 * Refuses a table that does not fit, as a start does.
 * @throws {DatabaseUnusableError} one sentence
 */
export function refuseUnfit({ flaws, rowFaults, settlement }: TableReport): void {
  const [first] = flaws;
  if (first !== undefined) {
    const others = flaws.length === 1
      ? ""
      : `, and ${flaws.length - 1} more ${flaws.length === 2 ? "thing does" : "things do"} not fit`;
    throw new DatabaseUnusableError(
      `Table ${SESSIONS}: ${first.what}${others} (${WAY_OUT} and what mends it); nothing was altered.`,
    );
  }
  const [fault] = rowFaults;
  // Once the table is the service's, such a row concerns nobody but its session.
  if (fault === undefined || settlement === null) return;
  throw new DatabaseUnusableError(
    `Table ${SESSIONS}: rows cannot be taken over, the first of them ${fault.named[0]}: ${fault.what} ` +
      `(${WAY_OUT}); nothing was altered.`,
  );
}

/**
 * Refuses a table that cannot be altered as it is.
 * @throws {DatabaseUnusableError} with everything that is in the way, a line each
 */
export function refuseUnalterable(report: TableReport): void {
  if (report.rowFaults.length === 0 && report.flaws.every(({ todo }) => todo === null)) return;
  const inTheWay = { ...report, flaws: report.flaws.filter(({ todo }) => todo !== null) };
  throw new DatabaseUnusableError(
    [...describeRows(inTheWay), ...describeFlaws(inTheWay), "Nothing was altered."].join("\n"),
  );
}

/** The report as lines for an operator: rows first, since somebody has to see to them. */
export function describeTable(report: TableReport, dryRun: boolean): string[] {
  const lines = [...describeRows(report)];
  if (dryRun || report.flaws.some(({ todo }) => todo !== null)) lines.push(...describeFlaws(report));
  lines.push(...report.notes.map((note) => `${SESSIONS}: ${note}`));
  if (dryRun && report.statements.length > 0) {
    if (report.rowFaults.length > 0) lines.push("Nothing is altered as long as one of these rows is there.");
    lines.push(
      "`deno task migrate -- --alter` would run this, once the service and whoever else writes is stopped:",
    );
    lines.push(...report.statements.map((statement) => `${statement};`));
  }
  if (!dryRun && report.statements.length > 0) {
    lines.push("Altered by:", ...report.statements.map((statement) => `${statement};`));
  }
  if (report.settlement !== null) lines.push(...describeSettlement(report.settlement, dryRun));
  return lines;
}

/** Rows that cannot be taken over: each kind with its first rows. */
export function describeRows({ rowFaults }: Pick<TableReport, "rowFaults">): string[] {
  return rowFaults.flatMap(({ what, rows, named }) => [
    `${SESSIONS}: ${rows} ${rows === 1 ? "row" : "rows"} cannot be taken over: ${what}:`,
    ...named.map((name) => `  ${name}`),
    ...(rows > named.length ? [`  and ${rows - named.length} more`] : []),
  ]);
}

function describeFlaws({ flaws }: Pick<TableReport, "flaws">): string[] {
  return flaws.map(({ what, todo }) => `Table ${SESSIONS}: ${what}.${todo === null ? "" : ` ${todo}`}`);
}

/** What becomes of rows that tell of a connection. */
export function describeSettlement(
  { connected, connecting, generated }: Settlement,
  dryRun: boolean,
): string[] {
  const become = dryRun ? "would become" : "became";
  const parts = [
    ...(connected > 0 ? [`${connected} connected ${become} disconnected (UNKNOWN)`] : []),
    ...(connecting > 0 ? [`${connecting} connecting ${become} disconnected (TIMEOUT)`] : []),
    ...(generated > 0 ? [`${generated} with a QR ${dryRun ? "would lose" : "lost"} it`] : []),
  ];
  return parts.length === 0 ? [] : [`${SESSIONS}: no login is here yet, so ${parts.join(", ")}.`];
}
