/**
 * Presences, leases and errands on MySQL. Instants are the server's own: the clocks of the replicas may differ.
 * @module
 */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type {
  AddressedErrand,
  Census,
  Errand,
  ErrandState,
  Lease,
  LeaseStore,
  ReplicaId,
  Taking,
} from "../domain/leases.ts";
import { StoreUnavailableError } from "../domain/ports.ts";
import { runGuarded } from "./faults.ts";
import { ERRANDS, LEASES, REPLICAS, type Tables } from "./schema.ts";

/** Sessions put up by one statement at most. */
const CHUNK = 1_000;
/**
 * The part of its presence after which a replica that has not renewed it is no longer vouched for: nobody takes
 * its sessions yet, but nobody says either that they are connected.
 */
const DOUBT = 0.3;
/** After which an errand that its sender never took back is removed, in minutes. */
const STALE_MINUTES = 10;

const leases = sql.table(LEASES);
const replicas = sql.table(REPLICAS);
const NOW = sql`utc_timestamp(3)`;

export class SqlLeases implements LeaseStore {
  readonly #db: Kysely<Tables>;
  readonly #patient: Kysely<Tables>;

  /**
   * @param db of MySQL or MariaDB
   * @param patient the same, for what takes its time
   */
  constructor(db: Kysely<Tables>, patient: Kysely<Tables> = db) {
    this.#db = db;
    this.#patient = patient;
  }

  join(replica: ReplicaId, ttlMs: number): Promise<void> {
    return runGuarded(async () => {
      await this.#tidy();
      await sql`insert into ${replicas} (replica_id, doubtful_at, expires_at)
        values (${replica}, ${inMs(ttlMs * DOUBT)}, ${inMs(ttlMs)})
        on duplicate key update doubtful_at = values(doubtful_at), expires_at = values(expires_at)`
        .execute(this.#db);
    });
  }

  renew(replica: ReplicaId, ttlMs: number): Promise<boolean> {
    return runGuarded(async () => {
      const { numAffectedRows } = await sql`update ${replicas}
        set doubtful_at = ${inMs(ttlMs * DOUBT)}, expires_at = ${inMs(ttlMs)}
        where replica_id = ${replica} and expires_at > ${NOW}`.execute(this.#db);
      return numAffectedRows === 1n;
    });
  }

  leave(replica: ReplicaId): Promise<void> {
    return runGuarded(async () => {
      await this.#db.updateTable(LEASES).set({ replica_id: null }).where("replica_id", "=", replica)
        .execute();
      await this.#db.deleteFrom(ERRANDS).where("replica_id", "=", replica).execute();
      await this.#db.deleteFrom(REPLICAS).where("replica_id", "=", replica).execute();
    });
  }

  take(instanceId: string, replica: ReplicaId): Promise<Taking> {
    return runGuarded(async () => {
      for (;;) {
        // Only somebody who is present may take; `last_insert_id` brings the epoch back with the answer.
        const taken = await sql`update ${leases} l
          join ${replicas} me on me.replica_id = ${replica} and me.expires_at > ${NOW}
          left join ${replicas} owner on owner.replica_id = l.replica_id and owner.expires_at > ${NOW}
          set l.epoch = last_insert_id(l.epoch + 1), l.replica_id = ${replica}, l.resting = 0
          where l.instance_id = ${instanceId} and (owner.replica_id is null or owner.replica_id = ${replica})`
          .execute(this.#db);
        if (taken.numAffectedRows === 1n) {
          return { kind: "taken", lease: { instanceId, replica, epoch: Number(taken.insertId) } };
        }
        const owner = await this.#ownerOf(instanceId);
        if (owner !== undefined && owner !== null) return { kind: "held", by: owner };
        // Free by now, or never seen before. Epoch 0 is nobody's.
        await sql`insert into ${leases} (instance_id, replica_id, epoch, resting)
          select ${instanceId}, null, 0, 1 from ${replicas} where replica_id = ${replica} and expires_at > ${NOW}
          on duplicate key update instance_id = values(instance_id)`.execute(this.#db);
        if (!await this.#isPresent(replica)) throw new StoreUnavailableError(new Error("Not present."));
      }
    });
  }

  async release(lease: Lease, rest: boolean): Promise<void> {
    await runGuarded(() =>
      this.#db.updateTable(LEASES).set({ replica_id: null, resting: Number(rest) })
        .where("instance_id", "=", lease.instanceId)
        .where("replica_id", "=", lease.replica).where("epoch", "=", lease.epoch).execute()
    );
  }

  async putUp(instanceIds: readonly string[]): Promise<void> {
    for (let start = 0; start < instanceIds.length; start += CHUNK) {
      const rows = instanceIds.slice(start, start + CHUNK)
        .map((instance_id) => ({ instance_id, replica_id: null, epoch: 0, resting: 0 }));
      await runGuarded(() =>
        this.#patient.insertInto(LEASES).values(rows)
          .onDuplicateKeyUpdate({ resting: sql`if(replica_id is null, 0, resting)` }).execute()
      );
    }
  }

  census(): Promise<Census> {
    return runGuarded(async () => {
      const { rows } = await sql<{ replica: string | null; sessions: unknown; now: unknown }>`
        select r.replica_id as replica, count(*) as sessions, null as now
          from ${leases} l
          left join ${replicas} r on r.replica_id = l.replica_id and r.expires_at > ${NOW}
          where l.resting = 0 group by r.replica_id
        union all select replica_id, 0, null from ${replicas} where expires_at > ${NOW}
        union all select null, 0, round(unix_timestamp(now(3)) * 1000)`.execute(this.#db);
      const sessions = new Map<ReplicaId, number>();
      let orphans = 0;
      let now = 0;
      for (const row of rows) {
        if (row.now !== null) now = Number(row.now);
        if (row.replica === null) orphans += Number(row.sessions);
        else sessions.set(row.replica, (sessions.get(row.replica) ?? 0) + Number(row.sessions));
      }
      return { sessions, orphans, now };
    });
  }

  orphans(limit: number): Promise<string[]> {
    return runGuarded(async () => {
      const { rows } = await sql<{ instance_id: string }>`select l.instance_id from ${leases} l
        left join ${replicas} r on r.replica_id = l.replica_id and r.expires_at > ${NOW}
        where l.resting = 0 and r.replica_id is null order by rand() limit ${limit}`.execute(this.#db);
      return rows.map((row) => row.instance_id);
    });
  }

  heldBy(replica: ReplicaId): Promise<string[]> {
    return runGuarded(async () => {
      const rows = await this.#db.selectFrom(LEASES).select("instance_id")
        .where("resting", "=", 0).where("replica_id", "=", replica).execute();
      return rows.map((row) => row.instance_id);
    });
  }

  sendErrand(to: ReplicaId, instanceId: string, errand: Errand): Promise<number> {
    return runGuarded(async () => {
      const { insertId } = await this.#db.insertInto(ERRANDS).values({
        replica_id: to,
        instance_id: instanceId,
        errand: JSON.stringify(errand),
        outcome: null,
        created_at: sql`utc_timestamp(3)`,
      }).executeTakeFirstOrThrow();
      return Number(insertId);
    });
  }

  errandsFor(replica: ReplicaId): Promise<AddressedErrand[]> {
    return runGuarded(async () => {
      const rows = await this.#db.selectFrom(ERRANDS).select(["id", "instance_id", "errand"])
        .where("replica_id", "=", replica).where("outcome", "is", null).orderBy("id").execute();
      return rows.map((row) => ({
        id: row.id,
        instanceId: row.instance_id,
        errand: JSON.parse(row.errand) as Errand,
      }));
    });
  }

  async settleErrand(id: number, outcome: string): Promise<void> {
    await runGuarded(() => this.#db.updateTable(ERRANDS).set({ outcome }).where("id", "=", id).execute());
  }

  errandState(id: number): Promise<ErrandState> {
    return runGuarded(async () => {
      const { rows: [row] } = await sql<{ outcome: string | null; present: unknown }>`
        select e.outcome, r.replica_id is not null as present from ${sql.table(ERRANDS)} e
          left join ${replicas} r on r.replica_id = e.replica_id and r.expires_at > ${NOW}
          where e.id = ${id}`.execute(this.#db);
      if (row === undefined) return { kind: "lost" };
      if (row.outcome !== null) return { kind: "done", outcome: row.outcome };
      return Number(row.present) === 1 ? { kind: "open" } : { kind: "lost" };
    });
  }

  async dropErrand(id: number): Promise<void> {
    await runGuarded(() => this.#db.deleteFrom(ERRANDS).where("id", "=", id).execute());
  }

  /** The present replica that holds this session; null when none does, undefined when the row is not there. */
  async #ownerOf(instanceId: string): Promise<ReplicaId | null | undefined> {
    const { rows: [row] } = await sql<{ owner: string | null }>`select r.replica_id as owner from ${leases} l
      left join ${replicas} r on r.replica_id = l.replica_id and r.expires_at > ${NOW}
      where l.instance_id = ${instanceId}`.execute(this.#db);
    return row?.owner;
  }

  async #isPresent(replica: ReplicaId): Promise<boolean> {
    const row = await this.#db.selectFrom(REPLICAS).select("replica_id").where("replica_id", "=", replica)
      .where("expires_at", ">", sql<string>`utc_timestamp(3)`).executeTakeFirst();
    return row !== undefined;
  }

  /** Removes what replicas that ended without a word have left. Their leases stay, as orphans. */
  async #tidy(): Promise<void> {
    const stale = sql<string>`utc_timestamp(3) - interval ${STALE_MINUTES} minute`;
    await this.#db.deleteFrom(REPLICAS).where("expires_at", "<", stale).execute();
    await this.#db.deleteFrom(ERRANDS).where("created_at", "<", stale).execute();
  }
}

function inMs(ms: number): RawBuilder<string> {
  return sql<string>`utc_timestamp(3) + interval ${ms * 1_000} microsecond`;
}

/** Whether something is to be done for this session and no replica vouches for it; 1 or 0. */
export function isOrphan(instanceId: string): RawBuilder<unknown> {
  return sql`exists (select 1 ${orphans([instanceId])})`;
}

/** From the leases `l` of those among these sessions for which something is to be done and no replica vouches. */
export function orphans(instanceIds: readonly string[]): RawBuilder<unknown> {
  return sql`from ${leases} l
    left join ${replicas} r on r.replica_id = l.replica_id and r.doubtful_at > ${NOW}
    where l.instance_id in (${sql.join(instanceIds)}) and l.resting = 0 and r.replica_id is null`;
}
