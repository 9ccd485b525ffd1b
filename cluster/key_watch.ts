/**
 * Which sessions this replica leaves to others because they have the key that opens the login and this one has not. It
 * comes to that where a replica that has a key of old finds others that have done without it.
 * @module
 */
import { type KeyId, type KeyRing, keysOfOthers, sharesAmongEquals } from "../domain/key_ring.ts";
import type { LeaseStore } from "./ports.ts";
import type { ReplicaId, Shares } from "../domain/leases.ts";
import type { LeftToOthers } from "./ports.ts";
import type { Log } from "../runtime/log.ts";

/** What watching the keys needs. */
export interface KeyWatchOptions {
  readonly leases: Pick<LeaseStore, "keyIds" | "followKeys" | "markOrphaned">;
  readonly log: Log;
}

/** A login that this replica could not open. */
interface Unopened {
  readonly keyId: KeyId;
  /** Whether it has been offered to the replicas that have the key. */
  isOffered: boolean;
}

/** Knows the sessions that this replica cannot open and another can, and leaves them to it. */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  #ring: KeyRing = { sealing: null, inUse: new Set(), holders: [] };
  /** Keys that others have and this replica lacks. */
  #foreign: ReadonlySet<KeyId> = new Set();
  readonly #unopened = new Map<string, Unopened>();

  constructor(options: KeyWatchOptions) {
    this.#options = options;
  }

  /** What is not to be taken up. */
  get left(): LeftToOthers {
    const sessions = [...this.#unopened].filter(([, { keyId }]) => this.#foreign.has(keyId)).map(([id]) =>
      id
    );
    return { keys: this.#foreign, sessions };
  }

  /** The shares of those who can open what this replica can. */
  equals(shares: Shares): Shares {
    return sharesAmongEquals(shares, this.#ring, this.#options.leases.keyIds);
  }

  /**
   * Looks who is present with which keys. A session that this replica could not open is offered to the others as
   * soon as one of them can, even where it has been told as an error meanwhile.
   * @param isHeld whether this replica still acts for a session, which cannot be offered then
   */
  async look(self: ReplicaId, isHeld: (instanceId: string) => boolean): Promise<void> {
    const { leases, log } = this.#options;
    await this.#follow(self);
    const openable: string[] = [];
    for (const [instanceId, unopened] of this.#unopened) {
      const { keyId, isOffered } = unopened;
      if (!this.#foreign.has(keyId)) {
        // The replicas that had the key are gone, and any may try again.
        if (isOffered) this.#unopened.delete(instanceId);
      } else if (!isOffered && !isHeld(instanceId)) {
        openable.push(instanceId);
      }
    }
    if (openable.length === 0) return;
    await leases.markOrphaned(openable);
    for (const instanceId of openable) this.#unopened.get(instanceId)!.isOffered = true;
    log.info({ event: "sessions_left_to_others", sessions: openable.length });
  }

  /**
   * Notes that a login of this replica's session did not open.
   * @returns whether a replica that is present has the key
   */
  async note(self: ReplicaId, instanceId: string, keyId: KeyId): Promise<boolean> {
    this.#unopened.set(instanceId, { keyId, isOffered: false });
    await this.#follow(self);
    return this.#foreign.has(keyId);
  }

  async #follow(self: ReplicaId): Promise<void> {
    const { leases } = this.#options;
    this.#ring = await leases.followKeys(self);
    this.#foreign = keysOfOthers(this.#ring, self, leases.keyIds);
  }
}
