/**
 * Which key seals, and who can open what, on MySQL; what follows from it is decided in `domain/key_ring.ts`.
 *
 * Whoever decides which key seals locks the row without a name: a replica that comes and a rotation that begins follow
 * each other, so that neither decides by what the other is about to change.
 * @module
 */
import { type Kysely, sql } from "kysely";
import { admit, type KeyHolder, type KeyId, type KeyRing, KeysDisagreeError } from "../domain/key_ring.ts";
import type { ReplicaId } from "../domain/leases.ts";
import type { Database } from "./database.ts";
import {
  CREDENTIAL_KEYS,
  CREDENTIALS,
  LINKS,
  LOGIN_KIND,
  REPLICA_KEYS,
  REPLICAS,
  type Tables,
} from "./schema.ts";
import type { CredentialKeys } from "./sealing.ts";

/** How many logins each key has sealed. */
export type SealedLogins = ReadonlyMap<KeyId, number>;

/** One process's keys among those of the others. */
export class SqlKeyRing {
  readonly #database: Pick<Database, "db" | "control">;
  readonly #keys: CredentialKeys;
  readonly #settled: () => Promise<unknown>;
  #isTelling = false;

  /** @param settled resolves once nothing is under way any more that has been sealed up to now */
  constructor(
    database: Pick<Database, "db" | "control">,
    keys: CredentialKeys,
    settled: () => Promise<unknown>,
  ) {
    this.#database = database;
    this.#keys = keys;
    this.#settled = settled;
  }

  /** The ids of this process's keys, the newest first. */
  get ids(): readonly KeyId[] {
    return this.#keys.ids;
  }

  /** How many logins each key has sealed: one look a link, by the primary key. */
  async sealedLogins(): Promise<SealedLogins> {
    const { rows } = await sql<{ key_id: string; logins: unknown }>`
      select c.key_id, count(*) as logins from ${sql.table(LINKS)} l
      join ${sql.table(CREDENTIALS)} c
        on c.instance_id = l.instance_id and c.kind = ${LOGIN_KIND} and c.name = x''
      where c.key_id is not null group by c.key_id`.execute(this.#database.db);
    return new Map(rows.map(({ key_id, logins }) => [key_id, Number(logins)]));
  }

  /**
   * Enters a replica that becomes present by the same transaction, and has the key seal that is to.
   * @throws {KeysDisagreeError} when it must not be present with these keys
   */
  async enter(db: Kysely<Tables>, replica: ReplicaId, logins: SealedLogins): Promise<void> {
    const { ids } = this.#keys;
    await lockKeys(db);
    const ring = await readRing(db);
    const inUse = new Set([...ring.inUse, ...logins.keys()]);
    const admission = admit({ ...ring, inUse }, replica, ids);
    if (admission.kind === "refused") throw new KeysDisagreeError(admission.why);
    const { sealing } = admission;
    await noteKeys(db, [...logins.keys()]);
    if (sealing !== ring.sealing) await setSealing(db, sealing);
    await sql`insert into ${sql.table(REPLICA_KEYS)} (replica_id, key_ids, seals_with)
      values (${replica}, ${ids.join(",")}, ${sealing})
      on duplicate key update key_ids = values(key_ids), seals_with = values(seals_with)`.execute(db);
    this.#keys.sealWith(sealing);
  }

  /** Looks who is present with which keys, and goes on to the key that seals by now where that is another one. */
  async follow(replica: ReplicaId): Promise<KeyRing> {
    const ring = await readRing(this.#database.control);
    const { sealing } = ring;
    if (sealing !== null && this.ids.includes(sealing)) {
      this.#keys.sealWith(sealing);
      const self = ring.holders.find((holder) => holder.replica === replica);
      if (self !== undefined && self.sealsWith !== sealing) void this.#tell(replica, sealing);
    }
    return ring;
  }

  /** Removes what replicas that are gone have left. */
  async tidy(): Promise<void> {
    await this.#database.control.deleteFrom(REPLICA_KEYS)
      .where("replica_id", "not in", (db) => db.selectFrom(REPLICAS).select("replica_id")).execute();
  }

  /** Says, once that is true, that nothing is under way that another key has sealed. What fails is tried again. */
  async #tell(replica: ReplicaId, sealing: KeyId): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      await this.#settled();
      await this.#database.control.updateTable(REPLICA_KEYS).set({ seals_with: sealing })
        .where("replica_id", "=", replica).execute();
    } catch {
      // The next look finds that it has not been said.
    } finally {
      this.#isTelling = false;
    }
  }
}

/** Locks the decision which key seals until the transaction is over. */
export async function lockKeys(db: Kysely<Tables>): Promise<void> {
  await sql`select key_id from ${sql.table(CREDENTIAL_KEYS)} where key_id = '' for update`.execute(db);
}

/** Who is present with which keys, and which of them are in use: one statement. */
export async function readRing(db: Kysely<Tables>): Promise<KeyRing> {
  const { rows } = await sql<RingRow>`
    select r.replica_id as replica, k.key_ids, k.seals_with, null as key_id, null as seals
      from ${sql.table(REPLICAS)} r left join ${sql.table(REPLICA_KEYS)} k on k.replica_id = r.replica_id
    union all select null, null, null, key_id, seals from ${sql.table(CREDENTIAL_KEYS)} where key_id <> ''`
    .execute(db);
  const holders: KeyHolder[] = [];
  const inUse = new Set<KeyId>();
  let sealing: KeyId | null = null;
  for (const { replica, key_ids, seals_with, key_id, seals } of rows) {
    if (replica !== null) {
      const keys = key_ids === null ? null : new Set(key_ids.split(","));
      holders.push({ replica, keys, sealsWith: seals_with });
    } else if (key_id !== null) {
      inUse.add(key_id);
      if (Number(seals) === 1) sealing = key_id;
    }
  }
  return { sealing, inUse, holders };
}

/** Notes that these keys may have sealed something. */
export async function noteKeys(db: Kysely<Tables>, keys: readonly KeyId[]): Promise<void> {
  if (keys.length === 0) return;
  await db.insertInto(CREDENTIAL_KEYS).values(keys.map((key_id) => ({ key_id, seals: null })))
    .onDuplicateKeyUpdate({ key_id: sql`values(key_id)` }).execute();
}

/** Has this key seal from now on; what sealed before stays in use. */
export async function setSealing(db: Kysely<Tables>, key: KeyId): Promise<void> {
  await db.updateTable(CREDENTIAL_KEYS).set({ seals: null }).where("seals", "=", 1).execute();
  await db.insertInto(CREDENTIAL_KEYS).values({ key_id: key, seals: 1 })
    .onDuplicateKeyUpdate({ seals: sql`values(seals)` }).execute();
}

interface RingRow {
  readonly replica: string | null;
  readonly key_ids: string | null;
  readonly seals_with: string | null;
  readonly key_id: string | null;
  readonly seals: unknown;
}
