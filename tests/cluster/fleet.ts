/**
 * Replicas over one database in memory, each with a clock of its own, all of them driven together.
 * @module
 */
import type { Lease } from "../../domain/leases.ts";
import { Replica, type ReplicaBounds, type Sessions } from "../../cluster/replica.ts";
import { SharedClock } from "../../cluster/shared_clock.ts";
import { stopwatch } from "../../cluster/stopwatch.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import type { LogFields } from "../../runtime/log.ts";
import type { RemoteCommand } from "../../sessions/ports/ownership.ts";
import { LeaseTable } from "./lease_table.ts";
import { CARRIED_OUT, type Outcome } from "./scripted_commands.ts";
import { ScriptedLeases } from "./scripted_leases.ts";

export const BOUNDS: ReplicaBounds = {
  ttlMs: 10_000,
  renewMs: 1_000,
  marginMs: 3_000,
  snapshotMs: 1_000,
  commandMs: 100,
  tidyMs: 600_000,
  giveStep: 5,
};
const STEP_MS = 100;

/** The sessions of one replica: it takes what it is told to, and has what it has taken. */
class ScriptedSessions implements Sessions {
  readonly leases = new Map<string, Lease>();
  /** What it was asked to do for others. */
  readonly commands: { readonly instanceId: string; readonly command: RemoteCommand }[] = [];
  /** How many were given up at a time. */
  readonly given: number[] = [];
  /** Waited for before everything counts as let go of. */
  closing: Promise<void> = Promise.resolve();
  abandonments = 0;
  carryOut: () => Promise<Outcome> = () => Promise.resolve(CARRIED_OUT);
  readonly #replica: () => Replica;

  constructor(replica: () => Replica) {
    this.#replica = replica;
  }

  get supervised(): number {
    return this.leases.size;
  }

  isSupervised(instanceId: string): boolean {
    return this.leases.has(instanceId);
  }

  async adoptOrphans(instanceIds: readonly string[]): Promise<void> {
    await Promise.allSettled(instanceIds.map(async (instanceId) => {
      const taking = await this.#replica().take(instanceId);
      if (taking.kind === "taken" && taking.lease !== null) this.leases.set(instanceId, taking.lease);
    }));
  }

  async rebalance(count: number): Promise<number> {
    const given = [...this.leases].slice(0, count);
    this.given.push(given.length);
    for (const [instanceId, lease] of given) {
      this.leases.delete(instanceId);
      await this.#replica().release(lease, false);
    }
    return given.length;
  }

  async abandonAll(): Promise<void> {
    this.abandonments++;
    this.leases.clear();
    await this.closing;
  }

  runCommand(instanceId: string, command: RemoteCommand): Promise<Outcome> {
    this.commands.push({ instanceId, command });
    return this.carryOut();
  }
}

/** One replica, and what is around it. */
export class Member {
  readonly base = new DrivenClock();
  readonly clock = new SharedClock(this.base);
  readonly logged: LogFields[] = [];
  readonly sessions = new ScriptedSessions(() => this.replica);
  readonly leases: ScriptedLeases;
  readonly replica: Replica;
  /** Whether its process is stopped; time passes for it all the same. */
  isFrozen = false;
  isDead = false;

  constructor(table: LeaseTable, keyIds: readonly string[], options: { patiently?: Patiently } = {}) {
    this.leases = new ScriptedLeases(table, keyIds);
    const note = (fields: LogFields) => void this.logged.push(fields);
    const { base, clock, leases } = this;
    this.replica = new Replica({
      leases,
      clock,
      log: { debug: note, info: note, warn: note, error: note },
      bounds: BOUNDS,
      stopwatch: stopwatch(() => base.steady(), () => Math.ceil(base.steady() / 1_000) * 1_000),
      ...options,
    });
  }

  start(unsettled: readonly string[] = []): Promise<void> {
    return this.replica.start(this.sessions, unsettled);
  }

  /** Its process is gone, with everything that it had. */
  die(): void {
    this.isDead = true;
    this.leases.mood = "silent";
    this.sessions.leases.clear();
  }

  /** The events in its log. */
  get events(): string[] {
    return this.logged.map(({ event }) => event);
  }

  /** Sessions for which it acts, and may. */
  get acting(): string[] {
    return [...this.sessions.leases].filter(([, lease]) => this.replica.holds(lease)).map(([id]) => id);
  }
}

type Patiently = <T>(work: () => Promise<T>) => Promise<T>;

export class Fleet {
  readonly table = new LeaseTable();
  readonly members: Member[] = [];

  /** Another replica, which has not started. */
  add(keyIds: readonly string[] = ["key"], options: { patiently?: Patiently } = {}): Member {
    const member = new Member(this.table, keyIds, options);
    this.members.push(member);
    return member;
  }

  /** Another replica, which has joined. */
  async join(unsettled: readonly string[] = []): Promise<Member> {
    const member = this.add();
    await member.start(unsettled);
    return member;
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      this.table.now += STEP_MS;
      for (const { base, isFrozen, isDead } of this.members) {
        if (isDead) continue;
        if (isFrozen) base.stall(STEP_MS);
        else base.advance(STEP_MS);
      }
      for (let turn = 0; turn < 60; turn++) await Promise.resolve();
    }
  }

  /** How many sessions each living member acts for. */
  get shares(): number[] {
    return this.members.filter(({ isDead }) => !isDead).map(({ acting }) => acting.length);
  }
}

/** So many sessions' names. */
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `sender_${i}`);
}
