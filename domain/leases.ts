/**
 * Who may act for a session where several replicas share one database: the types, and what is asked of the
 * database. `db/` implements it, `cluster/` lives by it.
 *
 * A replica is present until it leaves, or until others have seen it not renew its presence for the length of one, by
 * clocks that nobody sets. A lease belongs to a replica and lasts for as long as its owner is present, so that one
 * statement renews them all. Each taking has an epoch
 * of its own, and every write of the owner names it: after another has taken the session, none gets through.
 * @module
 */
import type { Instant } from "./session.ts";

/** One life of one replica; a replica that was given up comes back under another. */
export type ReplicaId = string;

/** The right to write one session and its credentials. */
export interface Lease {
  readonly instanceId: string;
  /** Whose it is. */
  readonly replica: ReplicaId;
  /** Higher each time that the session is taken. */
  readonly epoch: number;
}

/** What came of an attempt to take a session. */
export type Taking =
  /** It is ours. Null where there is nobody to share with. */
  | { readonly kind: "taken"; readonly lease: Lease | null }
  /** A replica that is present has it. */
  | { readonly kind: "held"; readonly by: ReplicaId };

/** A presence as it was found. */
export interface SeenPresence {
  /** Another one after each renewal. */
  readonly mark: string;
  /** Whether it has run out by the database's clock, if that has not been set in the meantime. */
  readonly isOver: boolean;
}

/** Who is present, and who has how much to do. */
export interface ClusterSnapshot {
  /** How many sessions each present replica acts for. */
  readonly sessions: ReadonlyMap<ReplicaId, number>;
  /** The presence of each. */
  readonly presences: ReadonlyMap<ReplicaId, SeenPresence>;
  /** How many sessions nobody acts for, though something is to be done for them. */
  readonly orphans: number;
  /** The database's clock. */
  readonly now: Instant;
}

/** As much of a snapshot of the cluster as tells who has how much to do. */
export type Shares = Pick<ClusterSnapshot, "sessions" | "orphans">;

/** How many sessions a replica should act for, so that all have the same to do. */
export function fairShare({ sessions, orphans }: Shares): number {
  const total = orphans + [...sessions.values()].reduce((sum, count) => sum + count, 0);
  return Math.ceil(total / Math.max(sessions.size, 1));
}

/** What a replica should do about its share. */
export type Adjustment =
  | { readonly kind: "none" }
  /** Take so many of those that nobody acts for. */
  | { readonly kind: "take"; readonly count: number }
  /** Give so many up, for others that have fewer. */
  | { readonly kind: "give"; readonly count: number };

/**
 * What this replica should do about its share. It gives up `step` at a time: each of them is without a
 * connection for a moment.
 */
export function adjustmentOf(clusterSnapshot: Shares, replica: ReplicaId, step: number): Adjustment {
  const mine = clusterSnapshot.sessions.get(replica);
  if (mine === undefined) return { kind: "none" };
  const share = fairShare(clusterSnapshot);
  if (clusterSnapshot.orphans > 0) {
    const count = Math.min(share - mine, clusterSnapshot.orphans);
    return count > 0 ? { kind: "take", count } : { kind: "none" };
  }
  // With a difference of one there is nothing to gain.
  const least = Math.min(...clusterSnapshot.sessions.values());
  const count = Math.min(mine - share, step);
  return count > 0 && mine - least > 1 ? { kind: "give", count } : { kind: "none" };
}
