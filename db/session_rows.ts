/**
 * The contract's table, a session at a time: found with its link, made, written under the fence of its lease.
 * @module
 */
import { type CompiledQuery, type Kysely, type Selectable, sql } from "kysely";
import type { Lease } from "../domain/leases.ts";
import type { Link } from "../domain/snapshot.ts";
import { INSTANCE_ID, QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import { ForeignRowError, SessionMissingError, type StoredSession } from "../sessions/ports/store.ts";
import { createSession, type Instant, type Session } from "../domain/session.ts";
import type { Database } from "./database.ts";
import { exactly, insertIfAbsent, instantFormat } from "./dialect.ts";
import { isHeld } from "./fence.ts";
import { inLists } from "./in_lists.ts";
import { isOrphan } from "./leases.ts";
import { columnsOf, readSession, type SessionRow } from "./rows.ts";
import { LINKS, RETIRED_LOGINS, SESSIONS, type Tables } from "./schema.ts";

type FoundRow = Selectable<SessionRow> & {
  readonly standing: string | null;
  readonly held_id: string | null;
  readonly orphan?: unknown;
};

/** Stands for the instance in a query that is compiled once. */
const ANY_INSTANCE = "\0";

/** Statements on the contract's table; they run in the transaction of the caller. */
export class SessionRows {
  /** How the dialect writes an instant. */
  readonly format: (instant: Instant) => string;
  readonly #database: Database;
  #findQuery: CompiledQuery<FoundRow> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.format = instantFormat(database.dialect);
  }

  async find(instanceId: string): Promise<StoredSession | null> {
    const query = this.#findQuery ??= this.#compileFind();
    const parameters = query.parameters.map((value) => value === ANY_INSTANCE ? instanceId : value);
    const { rows: [row] } = await this.#database.db.executeQuery<FoundRow>({ ...query, parameters });
    if (row === undefined) return null;
    const found = {
      ...readSession(row),
      link: linkOf(instanceId, row.standing),
      predecessor: row.held_id !== null,
    };
    return Number(row.orphan ?? 0) === 1 ? { ...found, isOrphan: true } : found;
  }

  /** Once: to build and compile it took more time than to carry it out. */
  #compileFind(): CompiledQuery<FoundRow> {
    const { db, dialect } = this.#database;
    return db
      .selectFrom(SESSIONS)
      // By value on both sides: an adopted table may compare in another collation than ours.
      .leftJoin(LINKS, (join) => join.on(`${LINKS}.instance_id`, "=", ANY_INSTANCE))
      .leftJoin(
        RETIRED_LOGINS,
        (join) =>
          join.on(`${RETIRED_LOGINS}.instance_id`, "=", ANY_INSTANCE).on(
            `${RETIRED_LOGINS}.held`,
            "=",
            sql.lit(1),
          ),
      )
      .selectAll(SESSIONS).select([`${LINKS}.standing`, `${RETIRED_LOGINS}.id as held_id`])
      .$if(dialect === "mysql", (query) => query.select(isOrphan(ANY_INSTANCE).as("orphan")))
      .where(`${SESSIONS}.instance_id`, "=", ANY_INSTANCE)
      .compile();
  }

  /**
   * Every session that has a working link, or that a crash left in `connecting` or with a `generated` QR; and every
   * row that is no session.
   */
  async listUnsettled(): Promise<StoredSession[]> {
    const { db, dialect } = this.#database;
    const links = new Map<string, Link>();
    for (const row of await db.selectFrom(LINKS).select(["instance_id", "standing"]).execute()) {
      links.set(row.instance_id, linkOf(row.instance_id, row.standing));
    }
    const held = new Set(
      (await db.selectFrom(RETIRED_LOGINS).select("instance_id").where("held", "=", 1).execute())
        .map((row) => row.instance_id),
    );
    const rows = await db.selectFrom(SESSIONS).selectAll()
      .where((where) =>
        where.or([
          where("status", "=", "connecting"),
          where("qr_status", "=", "generated"),
          where(exactly(dialect, "status"), "not in", SESSION_STATUSES),
          where(exactly(dialect, "qr_status"), "not in", QR_STATUSES),
          where("status", "is", null),
          where("qr_status", "is", null),
        ])
      )
      .execute();
    const seen = new Set(rows.map((row) => row.instance_id));
    const working = [...links].filter(([id, link]) => link === "working" && !seen.has(id)).map(([id]) => id);
    for (const ids of inLists(working)) {
      rows.push(
        ...await db.selectFrom(SESSIONS).selectAll().where("instance_id", "in", ids).execute(),
      );
    }
    return rows.map((row) => {
      const instanceId = String(row.instance_id);
      return {
        ...readSession(row),
        // Nobody can ask for it, and none of our tables could hold it.
        ...(INSTANCE_ID.test(instanceId) ? {} : { foreign: new ForeignRowError(instanceId, "instance_id") }),
        link: links.get(instanceId) ?? "none",
        predecessor: held.has(instanceId),
      };
    });
  }

  /** Fails immediately where somebody has locked the session's row; on MySQL alone. */
  async probe(instanceId: string): Promise<void> {
    await sql`select 1 from ${sql.table(SESSIONS)} where instance_id = ${instanceId} for update nowait`
      .execute(this.#database.db);
  }

  /** Makes the session's row, unless another caller is first. */
  async make(instanceId: string, now: Instant): Promise<void> {
    const { db, dialect } = this.#database;
    const columns = columnsOf(createSession(instanceId, now), this.format);
    const insert = db.insertInto(SESSIONS).values({ instance_id: instanceId, ...columns });
    await insertIfAbsent(dialect, insert, "instance_id").execute();
  }

  /**
   * Writes the session's row.
   * @throws {SessionMissingError} when there is none
   */
  async rewrite(db: Kysely<Tables>, session: Session): Promise<void> {
    if (!await this.update(db, session, null)) throw new SessionMissingError(session.instanceId);
  }

  /**
   * One statement, the fence included.
   * @returns whether there was a row to write, and the lease, if there is one, was held
   */
  async update(db: Kysely<Tables>, session: Session, lease: Lease | null): Promise<boolean> {
    const update = db.updateTable(SESSIONS).set(columnsOf(session, this.format))
      .where("instance_id", "=", session.instanceId);
    const { numUpdatedRows } = await (lease === null ? update : update.where(isHeld(lease)))
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }
}

/** What a row of the links says. @throws {Error} when it is no word of ours */
function linkOf(instanceId: string, standing: string | null): Link {
  if (standing === null) return "none";
  if (standing === "working" || standing === "suspended") return standing;
  throw new Error(`The row of ${instanceId} in ${LINKS} holds a standing that is unknown.`);
}
