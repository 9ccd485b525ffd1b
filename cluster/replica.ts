/**
 * This process as one of several: present, with its share of the sessions, at the others' service.
 * @module
 */
import { KeysDisagreeError } from "../domain/key_ring.ts";
import { adjustmentOf, type ClusterSnapshot, type Lease } from "../domain/leases.ts";
import type { CommandOutcome, RemoteCommand } from "../sessions/ports/ownership.ts";
import type { LeaseStore } from "./ports.ts";
import type { ReplicaId, Taking } from "../domain/leases.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { CommandAnswer, Ownership } from "../sessions/ports/ownership.ts";
import { CommandInbox } from "./command_inbox.ts";
import { KeyWatch } from "./key_watch.ts";
import { Presence, type PresenceBounds } from "./presence.ts";
import type { SharedClock } from "./shared_clock.ts";
import { type Stopwatch, systemStopwatch } from "./stopwatch.ts";
import { PresenceWatch } from "./presence_watch.ts";

/** In milliseconds, where nothing else is said. */
export interface ReplicaBounds extends PresenceBounds {
  /** How often the shares are looked at. */
  readonly snapshotMs: number;
  /** How often commands are looked for while there are others. */
  readonly commandMs: number;
  /** How often commands are removed that nobody took back. */
  readonly tidyMs: number;
  /** How many sessions are given up at a time for others to take. */
  readonly giveStep: number;
}

/** A replica that dies is replaced within the life of its presence and two looks at the cluster. */
export const REPLICA_BOUNDS: ReplicaBounds = {
  ttlMs: 10_000,
  renewMs: 1_000,
  marginMs: 3_000,
  snapshotMs: 1_000,
  commandMs: 100,
  tidyMs: 600_000,
  giveStep: 5,
};

/** What acts for the sessions. */
export interface Sessions {
  /** How many sessions are acted for. */
  readonly supervised: number;
  /** Whether this session is. */
  isSupervised(instanceId: string): boolean;
  adoptOrphans(instanceIds: readonly string[]): Promise<void>;
  rebalance(count: number): Promise<number>;
  abandonAll(): Promise<void>;
  runCommand(instanceId: string, command: RemoteCommand): Promise<CommandOutcome>;
}

/** What one replica needs. */
export interface ReplicaOptions {
  readonly leases: LeaseStore;
  readonly clock: SharedClock;
  readonly log: Log;
  readonly bounds: ReplicaBounds;
  readonly stopwatch?: Stopwatch;
  /** Carries out what a start needs of the database, again and again where it is away; once where it is not given. */
  readonly patiently?: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * The ownership of sessions where several processes share a database; see docs/architecture.md, "Replicas".
 */
export class Replica implements Ownership {
  readonly #options: ReplicaOptions;
  readonly #presence: Presence;
  readonly #inbox: CommandInbox;
  readonly #presenceWatch: PresenceWatch;
  readonly #keys: KeyWatch;
  readonly #stopping = new AbortController();
  /** Leases that the database could not be told of when they ended. */
  readonly #unreleased = new Map<Lease, boolean>();
  #sessions: Sessions | null = null;
  #clusterSnapshot: ClusterSnapshot | null = null;
  #fencings = 0;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { leases, clock, log, bounds, stopwatch = systemStopwatch } = options;
    this.#presence = new Presence({
      leases,
      clock,
      stopwatch,
      bounds,
      log,
      onLost: async () => {
        this.#fencings++;
        this.#unreleased.clear();
        await this.#sessions?.abandonAll();
      },
    });
    this.#presenceWatch = new PresenceWatch(stopwatch, bounds);
    this.#keys = new KeyWatch({ leases, log });
    this.#inbox = new CommandInbox({
      leases,
      clock,
      log,
      lookMs: bounds.commandMs,
    });
  }

  /** How many replicas are present, as of the last snapshot of the cluster. */
  get present(): number {
    return this.#clusterSnapshot?.sessions.size ?? 0;
  }

  /** Whether this replica may act for sessions: the database has taken its presence, and it has not run out. */
  get isPresent(): boolean {
    return this.#presence.id !== null;
  }

  /** How often this replica has let go of every session because it could not renew its presence. */
  get fencings(): number {
    return this.#fencings;
  }

  /**
   * Joins, takes its share of what nobody acts for, and goes on doing so.
   * @param unsettled sessions that a start has to settle, whichever replica acted for them before
   * @throws {StoreUnavailableError} when the database cannot be reached
   * @throws {KeysDisagreeError} when a replica that is alive can open what this one cannot
   */
  async start(sessions: Sessions, unsettled: readonly string[]): Promise<void> {
    const { leases, bounds, patiently = (work) => work() } = this.#options;
    this.#sessions = sessions;
    await patiently(() => this.#join());
    await patiently(() => leases.markOrphaned(unsettled));
    await patiently(() => this.#adjust());
    void this.#repeat(bounds.snapshotMs, () => this.#adjust());
    void this.#repeat(bounds.commandMs, () => this.#serve());
    void this.#repeat(bounds.tidyMs, () => leases.tidy());
  }

  /**
   * Joins. Where a presence stands in the way by its keys, its owner may be dead: nobody else may be there to find that
   * out, so it is watched for as long as a presence lasts.
   */
  async #join(): Promise<void> {
    const { clock, bounds } = this.#options;
    const until = clock.steady() + bounds.ttlMs + 2 * bounds.renewMs;
    for (;;) {
      try {
        return await this.#presence.join();
      } catch (error) {
        const isHopeless = clock.steady() >= until || this.#stopping.signal.aborted;
        if (isHopeless || !(error instanceof KeysDisagreeError)) throw error;
      }
      await this.#endLapsed(await this.#options.leases.clusterSnapshot(), "");
      await pause(clock, bounds.renewMs, this.#stopping.signal);
    }
  }

  /**
   * Ends the presences that are over.
   * @returns whether there were any
   */
  async #endLapsed({ presences }: ClusterSnapshot, self: ReplicaId): Promise<boolean> {
    const lapsed = this.#presenceWatch.look(presences, self);
    for (const { replica, mark } of lapsed) {
      const isEnded = await this.#options.leases.evict(replica, mark);
      if (isEnded) this.#options.log.warn({ event: "replica_replaced", replica });
    }
    return lapsed.length > 0;
  }

  /** Takes nothing more and serves nobody; what it has stays its own until it leaves. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Hands everything over. Only once no socket is left. */
  async leave(): Promise<void> {
    await this.#presence.leave();
  }

  // ── Ownership ──────────────────────────────────────────────────────────────────────────────────

  take(instanceId: string): Promise<Taking> {
    return this.#options.leases.take(instanceId, this.#self());
  }

  holds(lease: Lease | null): boolean {
    return lease !== null && lease.replica === this.#presence.id;
  }

  async release(lease: Lease | null, rest: boolean): Promise<void> {
    if (lease === null) return;
    try {
      await this.#options.leases.release(lease, rest);
    } catch (error) {
      if (error instanceof StoreUnavailableError) this.#unreleased.set(lease, rest);
      else this.#options.log.error({ event: "replica_failed", err: error });
    }
  }

  async canAnotherOpen(instanceId: string, keyId: string): Promise<boolean> {
    return await this.#keys.note(this.#self(), instanceId, keyId);
  }

  ask(owner: ReplicaId, instanceId: string, command: RemoteCommand, waitMs: number): Promise<CommandAnswer> {
    return this.#inbox.ask(owner, instanceId, command, waitMs);
  }

  // ── What is done again and again ───────────────────────────────────────────────────────────────

  async #adjust(): Promise<void> {
    const { leases, clock, bounds, log } = this.#options;
    const id = this.#presence.id;
    if (id === null || this.#sessions === null) return;
    for (const [lease, rest] of [...this.#unreleased]) {
      this.#unreleased.delete(lease);
      await this.release(lease, rest);
      if (this.#unreleased.has(lease)) return; // the database is still away
    }
    const asked = clock.steady();
    this.#clusterSnapshot = await leases.clusterSnapshot();
    clock.follow(this.#clusterSnapshot.now, asked);
    // With what they had, where some were over.
    if (await this.#endLapsed(this.#clusterSnapshot, id)) {
      this.#clusterSnapshot = await leases.clusterSnapshot();
    }
    const own = this.#sessions;
    await this.#keys.look(id, (instanceId) => own.isSupervised(instanceId));
    await this.#reconcile(id, this.#clusterSnapshot, own);
    const adjustment = adjustmentOf(this.#keys.equals(this.#clusterSnapshot), id, bounds.giveStep);
    switch (adjustment.kind) {
      case "none":
        return;
      case "take": {
        const orphans = await leases.orphans(adjustment.count, this.#keys.left);
        if (orphans.length === 0) return;
        log.info({ event: "sessions_taken_up", sessions: orphans.length });
        return await this.#sessions.adoptOrphans(orphans);
      }
      case "give": {
        const given = await this.#sessions.rebalance(adjustment.count);
        if (given > 0) log.info({ event: "sessions_handed_over", sessions: given });
        return;
      }
      default:
        return adjustment satisfies never;
    }
  }

  /** Looks after sessions that are ours without our knowing, because an answer of the database was lost. */
  async #reconcile(id: ReplicaId, { sessions }: ClusterSnapshot, own: Sessions): Promise<void> {
    if ((sessions.get(id) ?? 0) <= own.supervised) return;
    const forgotten = (await this.#options.leases.heldBy(id)).filter((held) => !own.isSupervised(held));
    await own.adoptOrphans(forgotten);
  }

  async #serve(): Promise<void> {
    const id = this.#presence.id;
    const sessions = this.#sessions;
    if (id === null || sessions === null || this.present < 2) return;
    await this.#inbox.serve(id, (instanceId, command) => sessions.runCommand(instanceId, command));
  }

  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await pause(clock, everyMs, signal);
      if (signal.aborted) return;
      await work().catch((error) => {
        // Without the database there is nothing to look at; the presence sees to the rest.
        if (!(error instanceof StoreUnavailableError)) log.error({ event: "replica_failed", err: error });
      });
    }
  }

  /** @throws {StoreUnavailableError} while this replica may act for nobody */
  #self(): ReplicaId {
    const { id } = this.#presence;
    if (id === null) throw new StoreUnavailableError(new Error("This replica is not present."));
    return id;
  }
}
