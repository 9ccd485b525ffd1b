/**
 * What replicas share, in memory: presences, leases with their epochs, keys and commands.
 * @module
 */
import { admit, type KeyId, type KeyRing, KeysDisagreeError } from "../../domain/key_ring.ts";
import type { ClusterSnapshot, Lease, ReplicaId, Taking } from "../../domain/leases.ts";
import type { LeftToOthers } from "../../cluster/ports.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { CommandTable } from "./scripted_commands.ts";

interface PresenceRow {
  readonly keys: readonly KeyId[];
  /** Another one after each renewal. */
  mark: number;
  expiresAt: number;
}

interface LeaseRow {
  owner: ReplicaId | null;
  epoch: number;
  resting: boolean;
}

export class LeaseTable {
  readonly presences = new Map<ReplicaId, PresenceRow>();
  readonly leases = new Map<string, LeaseRow>();
  readonly commands = new CommandTable();
  /** The key that seals. */
  sealing: KeyId | null = null;
  /** Sessions whose login another key has sealed than the one that all have. */
  readonly sealedWith = new Map<string, KeyId>();
  /** The database's clock, in milliseconds. */
  now = 1_767_484_800_000;
  #marks = 0;

  join(replica: ReplicaId, keys: readonly KeyId[], ttlMs: number): void {
    const admission = admit(this.ring(), replica, keys);
    if (admission.kind === "refused") throw new KeysDisagreeError(admission.why);
    this.sealing = admission.sealing;
    this.presences.set(replica, { keys, mark: ++this.#marks, expiresAt: this.now + ttlMs });
  }

  renew(replica: ReplicaId, ttlMs: number): boolean {
    const row = this.presences.get(replica);
    if (row === undefined) return false;
    row.mark = ++this.#marks;
    row.expiresAt = this.now + ttlMs;
    return true;
  }

  evict(replica: ReplicaId, mark: string): boolean {
    return String(this.presences.get(replica)?.mark) === mark && this.presences.delete(replica);
  }

  leave(replica: ReplicaId): void {
    this.presences.delete(replica);
    this.commands.forget(replica);
    for (const row of this.leases.values()) if (row.owner === replica) row.owner = null;
  }

  take(instanceId: string, replica: ReplicaId): Taking {
    if (!this.presences.has(replica)) throw new StoreUnavailableError(new Error("Not present."));
    const row = this.#row(instanceId, true);
    const { owner } = row;
    if (owner !== null && owner !== replica && this.presences.has(owner)) return { kind: "held", by: owner };
    row.owner = replica;
    row.resting = false;
    return { kind: "taken", lease: { instanceId, replica, epoch: ++row.epoch } };
  }

  release({ instanceId, replica, epoch }: Lease, rest: boolean): void {
    const row = this.leases.get(instanceId);
    if (row === undefined || row.owner !== replica || row.epoch !== epoch) return;
    row.owner = null;
    row.resting = rest;
  }

  markOrphaned(instanceIds: readonly string[]): void {
    for (const instanceId of instanceIds) {
      const row = this.#row(instanceId, false);
      if (row.owner === null) row.resting = false;
    }
  }

  clusterSnapshot(): ClusterSnapshot {
    const sessions = new Map([...this.presences.keys()].map((replica) => [replica, 0]));
    let orphans = 0;
    for (const { owner, resting } of this.leases.values()) {
      if (resting) continue;
      if (owner !== null && sessions.has(owner)) sessions.set(owner, sessions.get(owner)! + 1);
      else orphans++;
    }
    const presences = new Map(
      [...this.presences].map((
        [replica, { mark, expiresAt }],
      ) => [replica, { mark: String(mark), isOver: expiresAt <= this.now }]),
    );
    return { sessions, presences, orphans, now: this.now };
  }

  orphans(limit: number, left: LeftToOthers): string[] {
    return [...this.leases].filter(([id, { owner, resting }]) =>
      !resting && (owner === null || !this.presences.has(owner)) && !left.sessions.includes(id) &&
      !left.keys.has(this.sealedWith.get(id) ?? "")
    ).map(([id]) => id).slice(0, limit);
  }

  heldBy(replica: ReplicaId): string[] {
    return [...this.leases].filter(([, { owner, resting }]) => owner === replica && !resting).map(([id]) =>
      id
    );
  }

  ring(): KeyRing {
    const sealing = this.sealing;
    const holders = [...this.presences].map(([replica, { keys }]) => ({
      replica,
      keys: new Set(keys),
      sealsWith: sealing,
    }));
    const inUse = new Set([...(sealing === null ? [] : [sealing]), ...this.sealedWith.values()]);
    return { sealing, inUse, holders };
  }

  #row(instanceId: string, resting: boolean): LeaseRow {
    const row = this.leases.get(instanceId) ?? { owner: null, epoch: 0, resting };
    this.leases.set(instanceId, row);
    return row;
  }
}
