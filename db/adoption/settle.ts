/**
 * What becomes of sessions whose rows are taken over: no login of theirs is here, so none is connected or about to be,
 * and no QR can be scanned. The same as at a start (`connecting` without a login, a `generated` QR), and besides it
 * what a start believes, because somebody in this system may have reported it: `connected`.
 *
 * Source: decisions, "Transitions", "After a restart".
 * @module
 */
import { type Kysely, type RawBuilder, sql } from "kysely";
import { lastErrorOf } from "../../domain/errors.ts";
import type { DisconnectReason } from "@session-manager/contract";
import { type DialectName, exactly, fromNow } from "../dialect.ts";
import { LINKS, SESSIONS, type Tables } from "../schema.ts";

/** How many rows are settled. */
export interface Settlement {
  readonly connected: number;
  readonly connecting: number;
  readonly generated: number;
}

const table = sql.table(SESSIONS);

/** How many rows there are to settle. */
export async function countUnsettled(db: Kysely<Tables>): Promise<Settlement> {
  const { rows: [row] } = await sql<Record<"connected" | "connecting" | "shown", unknown>>`select
    coalesce(sum(status = 'connected'), 0) as connected,
    coalesce(sum(status = 'connecting'), 0) as connecting,
    coalesce(sum(qr_status = 'generated' and status not in ('connected', 'connecting')), 0) as shown
    from ${table}`.execute(db);
  return {
    connected: Number(row?.connected),
    connecting: Number(row?.connecting),
    generated: Number(row?.shown),
  };
}

/**
 * Settles them. Safe to repeat.
 * @param mayHaveLogins whether the table of links is there: a session with a login here is left to the start
 */
export async function settleRows(
  dialect: DialectName,
  db: Kysely<Tables>,
  mayHaveLogins: boolean,
): Promise<void> {
  const now = fromNow(dialect, 0);
  const name = (of: string) => exactly(dialect, `${of}.instance_id`);
  const isOurs = mayHaveLogins
    ? sql`exists (select 1 from ${sql.table(LINKS)} where ${name(LINKS)} = ${name(SESSIONS)})`
    : sql`1 = 0`;
  const disconnect = async (status: "connected" | "connecting", reason: DisconnectReason) => {
    const { code, message } = lastErrorOf(reason);
    // MySQL sees what it has set so far: what is asked comes before what is set.
    await inPages(
      dialect,
      db,
      sql`update ${table} set
      qr_status = case when qr_status = 'generated' then 'expired' else qr_status end, qr_string = null,
      status = 'disconnected', disconnected_at = ${now}, last_error_code = ${code}, last_error_message = ${message},
      updated_at = ${now}
      where status = ${status} and not ${isOurs}`,
    );
  };
  await disconnect("connected", "UNKNOWN");
  await disconnect("connecting", "TIMEOUT");
  // Only where a QR is what the session is told as does it become another one.
  await inPages(
    dialect,
    db,
    sql`update ${table} set
    qr_status = case when status = 'init' then 'none' else 'expired' end, qr_string = null,
    updated_at = case when status = 'qr_required' then ${now} else updated_at end
    where qr_status = 'generated' and not ${isOurs}`,
  );
}

/** Rows settled by one statement: it has to be over before it counts as unanswered. */
const PAGE = 5_000;

/** Runs an update after which its rows are no longer those that it looks for. */
async function inPages(dialect: DialectName, db: Kysely<Tables>, update: RawBuilder<unknown>): Promise<void> {
  switch (dialect) {
    case "sqlite":
      await update.execute(db);
      return;
    case "mysql":
      for (;;) {
        const { numAffectedRows = 0n } = await sql`${update} limit ${sql.lit(PAGE)}`.execute(db);
        if (numAffectedRows < PAGE) return;
      }
    default:
      return dialect satisfies never;
  }
}
