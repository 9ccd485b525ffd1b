/**
 * What becomes of an instance's login, in the transaction that writes its session: adopted, held, taken back,
 * retired, erased. No transaction and no fence here; the store decides on those, and writes the session first, so
 * that two changes of one instance follow each other.
 *
 * A sealed login is moved as it is, readable or not: its seal is bound to the instance, which stays the same.
 * The rows that are moved are locked as they are read, or a rotation of the key could seal them again where they
 * were, and what is moved would keep the old key.
 *
 * Every change may be carried out twice, because nobody knows whether a transaction was committed whose connection
 * died. Most find nothing left to do. An adoption would retire the login that it has adopted, and a revert would
 * erase the one that it has brought back: each leaves its id beside the login, and is done when it finds it there.
 * @module
 */
import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Session } from "../domain/session.ts";
import { chunkRows, type CredentialRow, eraseAll, writeRows } from "./credentials.ts";
import type { Database } from "./database.ts";
import { fromNow, instantFormat, lockingRows, upsert } from "./dialect.ts";
import { columnsOf } from "./rows.ts";
import {
  CREDENTIALS,
  CURRENT_LOGINS,
  HELD_KEYS,
  LINKS,
  LOGIN_KIND,
  RETIRED_LOGINS,
  type Tables,
} from "./schema.ts";

/**
 * How long a login that has just been retired is left alone where other replicas would try it while the connection
 * of its session is still going down, in milliseconds.
 */
const SHARED_DELAY_MS = 15_000;

/** What an instance has before a change. */
interface Present {
  /** Whether there are credentials; they need not be readable. */
  readonly hasLogin: boolean;
  readonly isWorking: boolean;
  readonly isContested: boolean;
  /** By which change the login took its place; null when that is unknown. */
  readonly changeId: string | null;
  /** The login that is held for the sake of the present one. */
  readonly heldId: string | null;
}

/** Statements that adopt, hold, take back, retire and erase logins. */
export class LoginChanges {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The id of the login that is held for this instance; null when none is. */
  async heldId(db: Kysely<Tables>, instanceId: string): Promise<string | null> {
    const row = await db.selectFrom(RETIRED_LOGINS).select("id")
      .where("instance_id", "=", instanceId).where("held", "=", 1).executeTakeFirst();
    return row?.id ?? null;
  }

  /** As `adopt` in `CredentialsChange`. @param rows the new login and its keys, sealed */
  async adopt(
    db: Kysely<Tables>,
    session: Session,
    rows: readonly CredentialRow[],
    retiredId: string,
  ): Promise<void> {
    const { instanceId } = session;
    const present = await this.#look(db, instanceId);
    if (present.changeId === retiredId) return; // done, by the same change
    if (present.hasLogin && !present.isContested) {
      if (present.isWorking && present.heldId === null) await this.#hold(db, instanceId, retiredId);
      else await this.#queue(db, instanceId, retiredId);
    }
    await eraseAll(db, instanceId);
    // Nothing is left to erase, so rows without a seal are not needed.
    const sealed = rows.filter((row) => row.sealed !== null);
    for (const chunk of chunkRows(sealed, this.#database.statementBytes)) {
      await writeRows(this.#database, db, chunk);
    }
    await this.#install(db, session, retiredId);
  }

  /** As `confirm`. */
  async confirm(db: Kysely<Tables>, instanceId: string): Promise<void> {
    const id = await this.heldId(db, instanceId);
    if (id !== null) await this.#release(db, id);
  }

  /** As `revert`. */
  async revert(db: Kysely<Tables>, session: Session, retiredId: string | null): Promise<void> {
    const { instanceId } = session;
    const { changeId, heldId, hasLogin, isContested } = await this.#look(db, instanceId);
    const id = this.#revertId(session);
    if (changeId === id) return; // done, by the same change
    if (retiredId !== null && hasLogin && !isContested) await this.#queue(db, instanceId, retiredId);
    await eraseAll(db, instanceId);
    if (heldId === null) return await this.#unlink(db, instanceId);
    const lock = lockingRows(this.#database.dialect);
    await sql`insert into ${sql.table(CREDENTIALS)} (instance_id, kind, name, sealed, key_id)
      select instance_id, ${LOGIN_KIND}, x'', sealed, key_id
      from ${sql.table(RETIRED_LOGINS)} where id = ${heldId} ${lock}`.execute(db);
    await sql`insert into ${sql.table(CREDENTIALS)} (instance_id, kind, name, sealed, key_id)
      select instance_id, kind, name, sealed, key_id
      from ${sql.table(HELD_KEYS)} where login_id = ${heldId} ${lock}`.execute(db);
    await db.deleteFrom(HELD_KEYS).where("login_id", "=", heldId).execute();
    await db.deleteFrom(RETIRED_LOGINS).where("id", "=", heldId).execute();
    await this.#install(db, session, id);
  }

  /** As `erase`. */
  async erase(db: Kysely<Tables>, instanceId: string): Promise<void> {
    await eraseAll(db, instanceId);
    await this.#unlink(db, instanceId);
    await this.confirm(db, instanceId);
  }

  /** As `retire`. */
  async retire(db: Kysely<Tables>, instanceId: string, retiredId: string): Promise<void> {
    const { hasLogin, isContested } = await this.#look(db, instanceId);
    if (hasLogin && !isContested) await this.#queue(db, instanceId, retiredId);
    await this.erase(db, instanceId);
  }

  /** As `suspend`. */
  async suspend(db: Kysely<Tables>, session: Session, contested: boolean): Promise<void> {
    const { instanceId } = session;
    const updated_at = instantFormat(this.#database.dialect)(session.updatedAt);
    const { numUpdatedRows } = await db.updateTable(LINKS).set({ standing: "suspended", updated_at })
      .where("instance_id", "=", instanceId).executeTakeFirst();
    if (numUpdatedRows === 0n) return; // there is nothing to suspend
    if (contested) {
      const insert = db.insertInto(CURRENT_LOGINS)
        .values({ instance_id: instanceId, change_id: null, contested_at: updated_at });
      await upsert(this.#database.dialect, insert, ["instance_id"], ["contested_at"]).execute();
    } else {
      await db.updateTable(CURRENT_LOGINS).set({ contested_at: null })
        .where("instance_id", "=", instanceId).execute();
    }
  }

  async #look(db: Kysely<Tables>, instanceId: string): Promise<Present> {
    const { rows: [row] } = await sql<{
      login: unknown;
      standing: string | null;
      contested: unknown;
      change_id: string | null;
      held_id: string | null;
    }>`select c.instance_id as login, l.standing, n.change_id, r.id as held_id,
        l.standing = 'suspended' and n.contested_at = l.updated_at as contested
      from (select 1 as one) one
      left join ${sql.table(CREDENTIALS)} c
        on c.instance_id = ${instanceId} and c.kind = ${LOGIN_KIND} and c.name = x'' and c.sealed is not null
      left join ${sql.table(LINKS)} l on l.instance_id = ${instanceId}
      left join ${sql.table(CURRENT_LOGINS)} n on n.instance_id = ${instanceId}
      left join ${sql.table(RETIRED_LOGINS)} r on r.instance_id = ${instanceId} and r.held = 1`.execute(db);
    return {
      hasLogin: row!.login !== null,
      isWorking: row!.standing === "working",
      isContested: Number(row!.contested) === 1,
      changeId: row!.change_id,
      heldId: row!.held_id,
    };
  }

  /** The credentials are held under this id, with all their keys. Both remain where they are as well. */
  async #hold(db: Kysely<Tables>, instanceId: string, id: string): Promise<void> {
    await this.#copyLogin(db, instanceId, id, true);
    await sql`insert into ${sql.table(HELD_KEYS)} (login_id, instance_id, kind, name, sealed, key_id)
      select ${id}, instance_id, kind, name, sealed, key_id from ${sql.table(CREDENTIALS)}
      where instance_id = ${instanceId} and kind <> ${LOGIN_KIND} and sealed is not null
      ${lockingRows(this.#database.dialect)}`.execute(db);
  }

  /** The credentials wait under this id to be unlinked. They remain where they are as well. */
  #queue(db: Kysely<Tables>, instanceId: string, id: string): Promise<void> {
    return this.#copyLogin(db, instanceId, id, false);
  }

  async #copyLogin(db: Kysely<Tables>, instanceId: string, id: string, hold: boolean): Promise<void> {
    const { dialect } = this.#database;
    await sql`insert into ${sql.table(RETIRED_LOGINS)}
      (id, instance_id, sealed, key_id, held, attempts, retired_at, next_attempt_at)
      select ${id}, instance_id, sealed, key_id, ${hold ? sql`1` : sql`null`}, 0,
        ${fromNow(dialect, 0)}, ${hold ? sql`null` : this.#firstAttempt()}
      from ${sql.table(CREDENTIALS)}
      where instance_id = ${instanceId} and kind = ${LOGIN_KIND} and name = x'' and sealed is not null
      ${lockingRows(dialect)}`.execute(db);
  }

  /** The held login waits to be unlinked from now on. */
  async #release(db: Kysely<Tables>, id: string): Promise<void> {
    await db.deleteFrom(HELD_KEYS).where("login_id", "=", id).execute();
    await db.updateTable(RETIRED_LOGINS).set({
      held: null,
      retired_at: fromNow(this.#database.dialect, 0),
      next_attempt_at: this.#firstAttempt(),
    }).where("id", "=", id).execute();
  }

  #firstAttempt() {
    const { dialect } = this.#database;
    return fromNow(dialect, dialect === "mysql" ? SHARED_DELAY_MS : 0);
  }

  /** The link is `working`, with a login that took its place by this change. */
  async #install(db: Kysely<Tables>, session: Session, changeId: string): Promise<void> {
    const { dialect } = this.#database;
    const { instanceId: instance_id } = session;
    const at = instantFormat(dialect)(session.updatedAt);
    const current = db.insertInto(CURRENT_LOGINS)
      .values({ instance_id, change_id: changeId, contested_at: null });
    await upsert(dialect, current, ["instance_id"], ["change_id", "contested_at"]).execute();
    const link = db.insertInto(LINKS)
      .values({ instance_id, standing: "working", created_at: at, updated_at: at });
    await upsert(dialect, link, ["instance_id"], ["standing", "updated_at"]).execute();
  }

  /** The link is `none`. */
  async #unlink(db: Kysely<Tables>, instanceId: string): Promise<void> {
    await db.deleteFrom(CURRENT_LOGINS).where("instance_id", "=", instanceId).execute();
    await db.deleteFrom(LINKS).where("instance_id", "=", instanceId).execute();
  }

  /**
   * Names a revert by the session that is written with it. Another revert that brings the instance to exactly the
   * same session, `updated_at` included, without any other change of its login in between, is the same revert.
   */
  #revertId(session: Session): string {
    const columns = columnsOf(session, instantFormat(this.#database.dialect));
    return createHash("sha256").update(JSON.stringify(columns)).digest("hex");
  }
}
