/**
 * Watches the presences of the other replicas, and finds those that are over. No wall clock has a say in it, the
 * database's included: a presence is over once it has been seen unchanged for as long as one lasts, and its owner, which
 * measures that time from before its last renewal, has closed every socket by then.
 * @module
 */
import type { ReplicaId, SeenPresence } from "../domain/leases.ts";
import type { Mark, Stopwatch } from "./stopwatch.ts";

/** In milliseconds. */
export interface PresenceWatchBounds {
  /** How long a presence lasts that is not renewed. */
  readonly ttlMs: number;
  /** How often it is renewed. */
  readonly renewMs: number;
}

/**
 * So many renewals are waited for where the database's clock says that a presence is over which was never seen alive,
 * because its owner may have died before this replica began: that clock may have been set forward a moment ago.
 */
const RENEWALS = 3;

interface Watched {
  readonly mark: string;
  /** When it was first seen so. */
  readonly since: Mark;
  /** Whether it was seen to be renewed. */
  readonly isAlive: boolean;
}

/** A presence that is over, by the mark that it has had all the time. */
export interface Lapsed {
  readonly replica: ReplicaId;
  readonly mark: string;
}

/** Judges the presences that it is shown: live, or over. */
export class PresenceWatch {
  readonly #stopwatch: Stopwatch;
  readonly #bounds: PresenceWatchBounds;
  #watched = new Map<ReplicaId, Watched>();

  constructor(stopwatch: Stopwatch, bounds: PresenceWatchBounds) {
    this.#stopwatch = stopwatch;
    this.#bounds = bounds;
  }

  /**
   * Takes in what there is now.
   * @param presences as the database has just told them
   * @param self whose own presence is its own affair
   * @returns those to be ended, provided that they still have the same mark by then
   */
  look(presences: ReadonlyMap<ReplicaId, SeenPresence>, self: ReplicaId): Lapsed[] {
    const watched = new Map<ReplicaId, Watched>();
    const lapsed: Lapsed[] = [];
    for (const [replica, { mark, isOver }] of presences) {
      if (replica === self) continue;
      const before = this.#watched.get(replica);
      if (before?.mark !== mark) {
        // One that has just been renewed is not over, unless the clock was set.
        const isAlive = before !== undefined && (before.isAlive || !isOver);
        watched.set(replica, { mark, since: this.#stopwatch.mark(), isAlive });
        continue;
      }
      watched.set(replica, before);
      if (this.#stopwatch.since(before.since) >= this.#limitMs(before, isOver)) {
        lapsed.push({ replica, mark });
      }
    }
    this.#watched = watched;
    return lapsed;
  }

  #limitMs({ isAlive }: Watched, isOver: boolean): number {
    const { ttlMs, renewMs } = this.#bounds;
    return isOver && !isAlive ? Math.min(RENEWALS * renewMs, ttlMs) : ttlMs;
  }
}
