/**
 * Which replicas are alive, for tools that must not work beside a service: by the measure of the replicas themselves,
 * for which no clock's time says that one is gone.
 * @module
 */
import type { ReplicaId, SeenPresence } from "../domain/leases.ts";
import { REPLICA_BOUNDS } from "../cluster/replica.ts";
import { type Stopwatch, stopwatch } from "../cluster/stopwatch.ts";
import { PresenceWatch } from "../cluster/presence_watch.ts";

/** How the time is spent while presences are watched. */
export interface Waiting {
  readonly stopwatch: Stopwatch;
  /** Resolves after so many milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  /** Told of how many presences there are, before they are watched. */
  readonly onWait: (presences: number) => void;
}

/** By this process's own time: a machine that sleeps meanwhile only makes the wait longer. */
const STEADY = stopwatch(() => performance.now(), () => performance.now());

/** By the machine's own clock, and silently. */
export const WAITING: Waiting = {
  stopwatch: STEADY,
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  onWait: () => {},
};

/**
 * Looks until each presence has been seen to be renewed, or is over: 10 s where a replica ended without a word.
 * @returns how many are there once one is alive; 0 when none is
 */
export async function countAlive(
  look: () => Promise<ReadonlyMap<ReplicaId, SeenPresence>>,
  { stopwatch, pause, onWait }: Waiting = WAITING,
): Promise<number> {
  const presenceWatch = new PresenceWatch(stopwatch, REPLICA_BOUNDS);
  const first = await look();
  if (first.size > 0) onWait(first.size);
  for (let presences = first;;) {
    if ([...presences].some(([replica, { mark }]) => first.get(replica)?.mark !== mark)) {
      return presences.size;
    }
    // Nobody is left out: this is no replica.
    if (presenceWatch.look(presences, "").length === presences.size) return 0;
    await pause(REPLICA_BOUNDS.renewMs);
    presences = await look();
  }
}
