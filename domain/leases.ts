/**
 * Who may act for a session where several replicas share one database: the words, and what is asked of the
 * database. `db/` implements it, `replicas/` lives by it.
 *
 * A replica is present until it leaves, or until others have seen it not renew its presence for the length of one, by
 * clocks that nobody sets. A lease belongs to a replica and lasts for as long as its owner is present, so that one
 * statement renews them all. Each taking has an epoch
 * of its own, and every write of the owner names it: after another has taken the session, none gets through.
 * @module
 */
import type { SessionEvent } from "./events.ts";
import type { KeyId, KeyRing } from "./key_ring.ts";
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
export interface Census {
  /** How many sessions each present replica acts for. */
  readonly sessions: ReadonlyMap<ReplicaId, number>;
  /** The presence of each. */
  readonly presences: ReadonlyMap<ReplicaId, SeenPresence>;
  /** How many sessions nobody acts for, though something is to be done for them. */
  readonly orphans: number;
  /** The database's clock. */
  readonly now: Instant;
}

/** What is found when a replica becomes present. */
export interface Arrival {
  /** How many logins none of its keys opens; counted once a process. */
  readonly unopened: number;
}

/** Which sessions a replica leaves to others. */
export interface LeftToOthers {
  /** Those whose login one of these keys has sealed. */
  readonly keys: ReadonlySet<KeyId>;
  /** These besides. */
  readonly sessions: readonly string[];
}

/** What one replica asks of the owner of a session: what the Hub or a trusted part of the system has said. */
export type Errand = Extract<SessionEvent, { type: "qr_requested" | "disconnected" }> | {
  readonly type: "connected";
  readonly phoneNumber: string;
};

/** An errand, as its addressee finds it. */
export interface AddressedErrand {
  readonly id: number;
  readonly instanceId: string;
  readonly errand: Errand;
}

/** How an errand stands. */
export type ErrandState =
  /** Its addressee, which is present, has not done it yet. */
  | { readonly kind: "open" }
  /** Its addressee is gone. */
  | { readonly kind: "lost" }
  /** Done, with this outcome. */
  | { readonly kind: "done"; readonly outcome: string };

/**
 * Presences, leases and errands.
 *
 * @throws {StoreUnavailableError} when the database cannot be reached or refuses for now
 */
export interface LeaseStore {
  /** The ids of this process's keys, the newest first. */
  readonly keyIds: readonly KeyId[];
  /**
   * Makes this replica present for `ttlMs` from now.
   * @throws {KeysDisagreeError} when others that are present can open what it cannot
   */
  join(replica: ReplicaId, ttlMs: number): Promise<Arrival>;
  /**
   * Who is present with which keys. What this process seals is sealed with the key that seals by now, from now on.
   * @param replica which is told the others as having gone on to that key, once nothing else is under way
   */
  followKeys(replica: ReplicaId): Promise<KeyRing>;
  /**
   * Extends this replica's presence, and with it every lease that it has, to `ttlMs` from now.
   * @returns false when it is over, for others have ended it; it stays so
   */
  renew(replica: ReplicaId, ttlMs: number): Promise<boolean>;
  /**
   * Ends the presence of a replica that has not renewed it since it was seen so.
   * @returns false when it has, or is over already
   */
  evict(replica: ReplicaId, mark: string): Promise<boolean>;
  /** Ends this replica's presence, and frees what it had for others to take at once. */
  leave(replica: ReplicaId): Promise<void>;
  /**
   * Takes a session that is free, whose owner is gone, or that is this replica's already.
   * @throws {StoreUnavailableError} besides, when this replica is not present itself
   */
  take(instanceId: string, replica: ReplicaId): Promise<Taking>;
  /**
   * Gives a session back; nothing happens when the lease is not held any more.
   * @param rest whether there is nothing to do for it; otherwise another replica is to take it
   */
  release(lease: Lease, rest: boolean): Promise<void>;
  /** Puts up these sessions, where nobody holds them, for somebody to take. */
  putUp(instanceIds: readonly string[]): Promise<void>;
  /** Who is present, and who has how much to do. */
  census(): Promise<Census>;
  /**
   * Sessions that somebody should take, chosen at random, at most so many.
   * @param left those that are not asked for
   */
  orphans(limit: number, left?: LeftToOthers): Promise<string[]>;
  /** The sessions that this replica holds. */
  heldBy(replica: ReplicaId): Promise<string[]>;
  /** Leaves an errand for a replica. @returns its id */
  sendErrand(to: ReplicaId, instanceId: string, errand: Errand): Promise<number>;
  /** The errands that wait for this replica, oldest first. */
  errandsFor(replica: ReplicaId): Promise<AddressedErrand[]>;
  /** Says what came of an errand. */
  settleErrand(id: number, outcome: string): Promise<void>;
  /** How an errand stands. */
  errandState(id: number): Promise<ErrandState>;
  /** Takes an errand back that nobody waits for any more. */
  dropErrand(id: number): Promise<void>;
  /** Removes errands that their senders never took back, and what replicas that are gone have said of their keys. */
  tidy(): Promise<void>;
}

/** The session is another replica's by now, or its presence has run out: nothing was written. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  constructor(instanceId: string) {
    super(`The session ${instanceId} belongs to another replica by now.`);
  }
}

/** As much of a census as tells who has how much to do. */
export type Shares = Pick<Census, "sessions" | "orphans">;

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
export function adjustmentOf(census: Shares, replica: ReplicaId, step: number): Adjustment {
  const mine = census.sessions.get(replica);
  if (mine === undefined) return { kind: "none" };
  const share = fairShare(census);
  if (census.orphans > 0) {
    const count = Math.min(share - mine, census.orphans);
    return count > 0 ? { kind: "take", count } : { kind: "none" };
  }
  // With a difference of one there is nothing to gain.
  const least = Math.min(...census.sessions.values());
  const count = Math.min(mine - share, step);
  return count > 0 && mine - least > 1 ? { kind: "give", count } : { kind: "none" };
}
