/**
 * Logins that wait to be unlinked at WhatsApp: found, claimed, forgotten. One statement each.
 *
 * A held login does not wait yet, and is left alone by every one of them.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { RetiredLogin, RetiredLoginStore } from "../sessions/ports/store.ts";
import type { Database } from "./database.ts";
import { type DialectName, fromNow } from "./dialect.ts";
import { parseInstant } from "./rows.ts";
import { LOGIN_KIND, RETIRED_LOGINS, type Tables } from "./schema.ts";
import { type CredentialKeys, unseal } from "./sealing.ts";

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000;
/** How far beyond it an attempt may lie before the clock must have been set back, in milliseconds. */
const CLOCK_SLACK_MS = 60_000;

const COLUMNS = ["id", "instance_id", "attempts", "retired_at"] as const;

/** The statements alone: the store decides on guards and repetition. */
export class SqlRetiredLogins implements RetiredLoginStore {
  readonly #db: Kysely<Tables>;
  readonly #dialect: DialectName;
  readonly #keys: CredentialKeys;

  constructor({ db, dialect }: Database, keys: CredentialKeys) {
    this.#db = db;
    this.#dialect = dialect;
    this.#keys = keys;
  }

  async dueRetiredLogins(limit: number): Promise<RetiredLogin[]> {
    // No attempt is put off so far: the clock has been set back since.
    const isStranded = sql<boolean>`next_attempt_at > ${this.#in(LONGEST_PAUSE_MS + CLOCK_SLACK_MS)}`;
    const rows = await this.#db.selectFrom(RETIRED_LOGINS).select(COLUMNS)
      .where("held", "is", null)
      .where((where) => where.or([where("next_attempt_at", "<=", this.#in(0)), isStranded]))
      .orderBy(isStranded, "desc").orderBy("next_attempt_at").limit(sql.lit(limit)).execute();
    return rows.map(retiredLoginOf);
  }

  async findRetiredLogin(id: string): Promise<RetiredLogin | null> {
    const row = await this.#db.selectFrom(RETIRED_LOGINS).select(COLUMNS)
      .where("id", "=", id).where("held", "is", null).executeTakeFirst();
    return row === undefined ? null : retiredLoginOf(row);
  }

  async claimRetiredLogin({ id, attempts }: RetiredLogin, pauseMs: number): Promise<boolean> {
    // Carried out again because its connection died, it finds its own attempt and says no: the next one is due soon.
    const { numUpdatedRows } = await this.#db.updateTable(RETIRED_LOGINS)
      .set({ attempts: attempts + 1, next_attempt_at: this.#after(pauseMs) })
      .where("id", "=", id).where("attempts", "=", attempts).where("held", "is", null).executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  async loadRetiredLogin(id: string): Promise<string | null> {
    const row = await this.#db.selectFrom(RETIRED_LOGINS).select(["instance_id", "sealed"])
      .where("id", "=", id).where("held", "is", null).executeTakeFirst();
    if (row === undefined) return null;
    return unseal(this.#keys, { instanceId: row.instance_id, kind: LOGIN_KIND, name: "" }, row.sealed);
  }

  async postponeRetiredLogin(id: string, pauseMs: number): Promise<void> {
    await this.#db.updateTable(RETIRED_LOGINS).set({ next_attempt_at: this.#after(pauseMs) })
      .where("id", "=", id).where("held", "is", null).execute();
  }

  async forgetRetiredLogin(id: string): Promise<void> {
    await this.#db.deleteFrom(RETIRED_LOGINS).where("id", "=", id).where("held", "is", null).execute();
  }

  async countRetiredLogins(): Promise<number> {
    const { count } = await this.#db.selectFrom(RETIRED_LOGINS)
      .select((count) => count.fn.countAll().as("count")).where("held", "is", null).executeTakeFirstOrThrow();
    return Number(count);
  }

  #after(pauseMs: number) {
    return this.#in(Math.min(pauseMs, LONGEST_PAUSE_MS));
  }

  #in(ms: number) {
    return fromNow(this.#dialect, ms);
  }
}

function retiredLoginOf(row: Record<(typeof COLUMNS)[number], unknown>): RetiredLogin {
  return {
    id: String(row.id),
    instanceId: String(row.instance_id),
    attempts: Number(row.attempts),
    // An instant that somebody has spoilt by hand must not make a login look old enough to be given up.
    retiredAt: parseInstant(String(row.retired_at)) ?? Date.now(),
  };
}
