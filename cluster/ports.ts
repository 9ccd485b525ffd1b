/**
 * What the cluster asks of the database: presences, leases and the commands that replicas leave for each other. `db/`
 * implements it.
 * @module
 */
import type { KeyId, KeyRing } from "../domain/key_ring.ts";
import type { ClusterSnapshot, Lease, ReplicaId, Taking } from "../domain/leases.ts";
import type { CommandOutcome, RemoteCommand } from "../sessions/ports/ownership.ts";

/** A command as the owner reads it. */
export interface AddressedCommand {
  readonly id: number;
  readonly instanceId: string;
  readonly command: RemoteCommand;
}

/** The state of a command, as its sender reads it. */
export type CommandState =
  /** Its addressee, which is present, has not done it yet. */
  | { readonly kind: "open" }
  /** Its addressee is gone. */
  | { readonly kind: "lost" }
  | CommandOutcome;

/** What is found when a replica becomes present. */
export interface Arrival {
  /** How many logins none of its keys opens. */
  readonly unopened: number;
}

/** Which sessions a replica leaves to others. */
export interface LeftToOthers {
  /** Those whose login one of these keys has sealed. */
  readonly keys: ReadonlySet<KeyId>;
  /** These besides. */
  readonly sessions: readonly string[];
}

/**
 * Presences, leases and commands.
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
  /** Ends this replica's presence, and frees its sessions for others to take immediately. */
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
  /** Marks those of these sessions that no replica holds, for one to take. */
  markOrphaned(instanceIds: readonly string[]): Promise<void>;
  /** Who is present, and who has how much to do. */
  clusterSnapshot(): Promise<ClusterSnapshot>;
  /**
   * Sessions that need an owner, chosen at random, at most so many.
   * @param left those that are not asked for
   */
  orphans(limit: number, left?: LeftToOthers): Promise<string[]>;
  /** The sessions that this replica holds. */
  heldBy(replica: ReplicaId): Promise<string[]>;
  /** Leaves a command for a replica. @returns its id */
  sendCommand(to: ReplicaId, instanceId: string, command: RemoteCommand): Promise<number>;
  /** The commands that wait for this replica, oldest first. */
  commandsFor(replica: ReplicaId): Promise<AddressedCommand[]>;
  /** Writes the outcome of a command. */
  settleCommand(id: number, outcome: CommandOutcome): Promise<void>;
  /** The state of a command. */
  commandState(id: number): Promise<CommandState>;
  /** Deletes a command that its sender no longer waits for. */
  dropCommand(id: number): Promise<void>;
  /** Deletes commands whose senders never dropped them, and the keys of replicas that are gone. */
  tidy(): Promise<void>;
}
