/**
 * Presences and leases on MySQL. Instants are the server's own: the clocks of the replicas may differ.
 *
 * Nobody is taken for gone by such an instant alone, for that clock may be set, and after a failover it is another
 * machine's: a replica is there for as long as its row is, and the row goes when it leaves, or when others have watched
 * it stay the same for the length of a presence (`cluster/presence_watch.ts`). What the instants say is only whether a replica
 * is late, so that nobody vouches for its sessions.
 * @module
 */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { KeyId, KeyRing } from "../domain/key_ring.ts";
import type { AddressedCommand, CommandState, LeaseStore } from "../cluster/ports.ts";
import type { ClusterSnapshot, Lease, ReplicaId, SeenPresence, Taking } from "../domain/leases.ts";
import type { Arrival, LeftToOthers } from "../cluster/ports.ts";
import type { CommandOutcome, RemoteCommand } from "../sessions/ports/ownership.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { SqlCommands } from "./commands.ts";
import { runGuarded } from "./faults.ts";
import type { SqlKeyRing } from "./key_ring.ts";
import { WriteLanes } from "./write_lanes.ts";
import { CREDENTIALS, LEASES, LOGIN_KIND, REPLICA_KEYS, REPLICAS, type Tables } from "./schema.ts";

/** Sessions that one statement marks as orphaned, at most. */
const CHUNK = 1_000;
/** By how much an instant may lie ahead of where it can be, for the server's clock to have been set back; in seconds. */
const SLACK_SECONDS = 2;
/**
 * The part of its presence after which a replica that has not renewed it is no longer vouched for: nobody takes
 * its sessions yet, but nobody says either that they are connected.
 */
const DOUBT = 0.3;

const leases = sql.table(LEASES);
const replicas = sql.table(REPLICAS);
const NOW = sql`utc_timestamp(3)`;

/** Where each statement goes, so that none waits behind what it does not depend on. */
export interface LeaseConnections {
  /** For the presence alone. */
  readonly presence: Kysely<Tables>;
  /** For what is small and never waits for a row that others may have locked. */
  readonly control: Kysely<Tables>;
  /** For what may wait for such a row. */
  readonly writes: Kysely<Tables>;
  /** For what takes its time. */
  readonly db: Kysely<Tables>;
}

/** {@link LeaseStore} over MySQL or MariaDB. */
export class SqlLeases implements LeaseStore {
  readonly #presence: Kysely<Tables>;
  readonly #control: Kysely<Tables>;
  readonly #db: Kysely<Tables>;
  readonly #patient: Kysely<Tables>;
  readonly #lanes: WriteLanes;
  readonly #ring: SqlKeyRing;
  readonly #commands: SqlCommands;

  /** @param connections of MySQL or MariaDB */
  constructor({ presence, control, writes, db }: LeaseConnections, lanes: WriteLanes, ring: SqlKeyRing) {
    this.#presence = presence;
    this.#control = control;
    this.#db = writes;
    this.#patient = db;
    this.#lanes = lanes;
    this.#ring = ring;
    this.#commands = new SqlCommands(control, () => lanes.stall.admit());
  }

  get keyIds(): readonly KeyId[] {
    return this.#ring.ids;
  }

  join(replica: ReplicaId, ttlMs: number): Promise<Arrival> {
    return this.#probing(async () => {
      const logins = await this.#ring.sealedLogins();
      // By one transaction: nobody is present whose keys nobody knows.
      await this.#presence.transaction().execute(async (db) => {
        await this.#ring.enter(db, replica, logins);
        await sql`insert into ${replicas} (replica_id, doubtful_at, expires_at)
          values (${replica}, ${inMs(ttlMs * DOUBT)}, ${inMs(ttlMs)})
          on duplicate key update doubtful_at = values(doubtful_at), expires_at = values(expires_at)`
          .execute(db);
      });
      const unopened = [...logins].filter(([key]) => !this.keyIds.includes(key));
      return { unopened: unopened.reduce((sum, [, count]) => sum + count, 0) };
    });
  }

  followKeys(replica: ReplicaId): Promise<KeyRing> {
    return runGuarded(() => this.#ring.follow(replica));
  }

  renew(replica: ReplicaId, ttlMs: number): Promise<boolean> {
    return this.#probing(async () => {
      const { numAffectedRows } = await sql`update ${replicas}
        set doubtful_at = ${inMs(ttlMs * DOUBT)}, expires_at = ${inMs(ttlMs)}
        where replica_id = ${replica}`.execute(this.#presence);
      return numAffectedRows === 1n;
    });
  }

  evict(replica: ReplicaId, mark: string): Promise<boolean> {
    return runGuarded(async () => {
      const { numDeletedRows } = await this.#control.deleteFrom(REPLICAS)
        .where("replica_id", "=", replica).where("expires_at", "=", mark).executeTakeFirst();
      return numDeletedRows > 0n;
    });
  }

  async leave(replica: ReplicaId): Promise<void> {
    // Its row first: from then on whatever it has is free, row by row or not.
    await this.#probing(() => this.#control.deleteFrom(REPLICAS).where("replica_id", "=", replica).execute());
    await this.#commands.forget(replica);
    await runGuarded(() =>
      this.#control.deleteFrom(REPLICA_KEYS).where("replica_id", "=", replica).execute()
    );
    await this.#guarded(() =>
      // Both values of `resting`, so that the index finds them.
      this.#db.updateTable(LEASES).set({ replica_id: null })
        .where("resting", "in", [0, 1]).where("replica_id", "=", replica).execute()
    );
  }

  take(instanceId: string, replica: ReplicaId): Promise<Taking> {
    return this.#guarded(async () => {
      for (;;) {
        // Only somebody who is there may take; `last_insert_id` brings the epoch back with the answer. By subqueries,
        // which lock nothing here: the tables of a join are locked, and a renewal would wait for who waits for the lease.
        const taken = await sql`update ${leases}
          set epoch = last_insert_id(epoch + 1), resting = 0, replica_id = ${replica}
          where instance_id = ${instanceId} and exists (select 1 from ${replicas} r where r.replica_id = ${replica})
            and (replica_id is null or replica_id = ${replica}
              or not exists (select 1 from ${replicas} r where r.replica_id = ${leases}.replica_id))`
          .execute(this.#db);
        if (taken.numAffectedRows === 1n) {
          return { kind: "taken", lease: { instanceId, replica, epoch: Number(taken.insertId) } };
        }
        const owner = await this.#ownerOf(instanceId);
        if (owner !== undefined && owner !== null) return { kind: "held", by: owner };
        // Free by now, or never seen before. Epoch 0 is nobody's.
        await sql`insert into ${leases} (instance_id, replica_id, epoch, resting)
          select ${instanceId}, null, 0, 1 from ${replicas} where replica_id = ${replica}
          on duplicate key update instance_id = values(instance_id)`.execute(this.#db);
        if (!await this.#isPresent(replica)) throw new StoreUnavailableError(new Error("Not present."));
      }
    });
  }

  async release(lease: Lease, rest: boolean): Promise<void> {
    await this.#guarded(() =>
      this.#db.updateTable(LEASES).set({ replica_id: null, resting: Number(rest) })
        .where("instance_id", "=", lease.instanceId)
        .where("replica_id", "=", lease.replica).where("epoch", "=", lease.epoch).execute()
    );
  }

  async markOrphaned(instanceIds: readonly string[]): Promise<void> {
    for (let start = 0; start < instanceIds.length; start += CHUNK) {
      const rows = instanceIds.slice(start, start + CHUNK)
        .map((instance_id) => ({ instance_id, replica_id: null, epoch: 0, resting: 0 }));
      await this.#guarded(() =>
        this.#patient.insertInto(LEASES).values(rows)
          .onDuplicateKeyUpdate({ resting: sql`if(replica_id is null, 0, resting)` }).execute()
      );
    }
  }

  clusterSnapshot(): Promise<ClusterSnapshot> {
    return runGuarded(async () => {
      const { rows } = await sql<ClusterRow>`
        select r.replica_id as replica, count(*) as sessions, null as mark, null as is_over, null as now
          from ${leases} l
          left join ${replicas} r on r.replica_id = l.replica_id
          where l.resting = 0 group by r.replica_id
        union all select replica_id, 0, expires_at, expires_at <= ${NOW}, null from ${replicas}
        union all select null, 0, null, null, round(unix_timestamp(now(3)) * 1000)`.execute(this.#control);
      const sessions = new Map<ReplicaId, number>();
      const presences = new Map<ReplicaId, SeenPresence>();
      let orphans = 0;
      let now = 0;
      for (const row of rows) {
        if (row.now !== null) now = Number(row.now);
        if (row.replica === null) orphans += Number(row.sessions);
        else sessions.set(row.replica, (sessions.get(row.replica) ?? 0) + Number(row.sessions));
        if (row.replica !== null && row.mark !== null) {
          presences.set(row.replica, { mark: row.mark, isOver: Number(row.is_over) === 1 });
        }
      }
      return { sessions, presences, orphans, now };
    });
  }

  orphans(limit: number, left: LeftToOthers = { keys: new Set(), sessions: [] }): Promise<string[]> {
    return runGuarded(async () => {
      const { rows } = await sql<{ instance_id: string }>`select l.instance_id from ${leases} l
        left join ${replicas} r on r.replica_id = l.replica_id
        where l.resting = 0 and r.replica_id is null and ${isNotLeft(left)}
        order by rand() limit ${limit}`.execute(this.#control);
      return rows.map((row) => row.instance_id);
    });
  }

  heldBy(replica: ReplicaId): Promise<string[]> {
    return runGuarded(async () => {
      const rows = await this.#control.selectFrom(LEASES).select("instance_id")
        .where("resting", "=", 0).where("replica_id", "=", replica).execute();
      return rows.map((row) => row.instance_id);
    });
  }

  sendCommand(to: ReplicaId, instanceId: string, command: RemoteCommand): Promise<number> {
    return this.#commands.send(to, instanceId, command);
  }

  commandsFor(replica: ReplicaId): Promise<AddressedCommand[]> {
    return this.#commands.waitingFor(replica);
  }

  settleCommand(id: number, outcome: CommandOutcome): Promise<void> {
    return this.#commands.settle(id, outcome);
  }

  commandState(id: number): Promise<CommandState> {
    return this.#commands.stateOf(id);
  }

  dropCommand(id: number): Promise<void> {
    return this.#commands.drop(id);
  }

  tidy(): Promise<void> {
    return runGuarded(async () => {
      await this.#commands.tidy();
      await this.#ring.tidy();
    });
  }

  /** The replica that holds this session; null when none does, undefined when the row is not there. */
  async #ownerOf(instanceId: string): Promise<ReplicaId | null | undefined> {
    const { rows: [row] } = await sql<{ owner: string | null }>`select r.replica_id as owner from ${leases} l
      left join ${replicas} r on r.replica_id = l.replica_id
      where l.instance_id = ${instanceId}`.execute(this.#control);
    return row?.owner;
  }

  async #isPresent(replica: ReplicaId): Promise<boolean> {
    const row = await this.#control.selectFrom(REPLICAS).select("replica_id")
      .where("replica_id", "=", replica).executeTakeFirst();
    return row !== undefined;
  }

  /** For what shows whether the database takes writes. */
  #probing<T>(operation: () => Promise<T>): Promise<T> {
    return runGuarded(() => this.#lanes.stall.probe(operation));
  }

  /** For what may wait for a row. */
  #guarded<T>(operation: () => Promise<T>): Promise<T> {
    return runGuarded(() => this.#lanes.run(operation));
  }
}

/** Whether the session of the lease `l` is none of these. */
function isNotLeft({ keys, sessions }: LeftToOthers): RawBuilder<boolean> {
  const conditions = [
    ...(keys.size === 0 ? [] : [
      sql`not exists (select 1 from ${sql.table(CREDENTIALS)} c where c.instance_id = l.instance_id
        and c.kind = ${LOGIN_KIND} and c.name = x'' and c.key_id in (${sql.join([...keys])}))`,
    ]),
    ...(sessions.length === 0 ? [] : [sql`l.instance_id not in (${sql.join(sessions)})`]),
  ];
  return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

interface ClusterRow {
  readonly replica: string | null;
  readonly sessions: unknown;
  readonly mark: string | null;
  readonly is_over: unknown;
  readonly now: unknown;
}

function inMs(ms: number): RawBuilder<string> {
  return sql<string>`utc_timestamp(3) + interval ${ms * 1_000} microsecond`;
}

/**
 * Whether the replica `r` has renewed its presence lately, and not in what is the future by now: then the server's
 * clock has been set back, and the instants that were written before say nothing.
 */
const isVouched = sql`r.doubtful_at > ${NOW} and r.doubtful_at <= ${NOW} + interval ${
  sql.lit(SLACK_SECONDS)
} second + interval timestampdiff(microsecond, r.doubtful_at, r.expires_at) * ${
  sql.lit(DOUBT / (1 - DOUBT))
} microsecond`;

/** Whether something is to be done for this session and no replica vouches for it; 1 or 0. */
export function isOrphan(instanceId: string): RawBuilder<unknown> {
  return sql`exists (select 1 ${orphans([instanceId])})`;
}

/** From the leases `l` of those among these sessions for which something is to be done and no replica vouches. */
export function orphans(instanceIds: readonly string[]): RawBuilder<unknown> {
  return sql`from ${leases} l
    left join ${replicas} r on r.replica_id = l.replica_id and ${isVouched}
    where l.instance_id in (${sql.join(instanceIds)}) and l.resting = 0 and r.replica_id is null`;
}
