/**
 * Rows of the contract's table that are no session: another system has written into it.
 * @module
 */
import type { StoredSession } from "./ports/store.ts";
import type { Log } from "../runtime/log.ts";

/** So many are named in the log at a start; the others are counted. */
const NAMED = 20;

/**
 * The sessions that a start settles. A row that is none is named in the log; without a login here it is left as it
 * is, and with one it is known what has to become of it.
 */
export function withoutForeign(unsettled: readonly StoredSession[], log: Log): StoredSession[] {
  const foreign = unsettled.flatMap((stored) => stored.foreign ?? []);
  for (const { instanceId, column } of foreign.slice(0, NAMED)) {
    log.warn({ event: "foreign_row", instance_id: instanceId.slice(0, 64), column });
  }
  if (foreign.length > NAMED) log.warn({ event: "foreign_rows", rows: foreign.length, named: NAMED });
  return unsettled.filter((stored) => stored.foreign === undefined || stored.link === "working");
}
