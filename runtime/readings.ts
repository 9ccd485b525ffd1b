/**
 * The figures that are read off the service at a scrape, rather than counted as things happen.
 * @module
 */
import { SESSION_STATUSES, type SessionStatus } from "@session-manager/contract";
import type { Metrics } from "./metrics.ts";

/** Where the figures come from. */
export interface Sources {
  readonly requests: { tell(): void };
  /** How many rows have each status. */
  countByStatus(): Promise<ReadonlyMap<SessionStatus, number>>;
  /** How many of the disconnected ones do not come back by themselves, since they were logged out. */
  countLoggedOut(): Promise<number>;
  readonly sessions: { readonly supervised: number; readonly stalled: number };
  readonly admission: { readonly waiting: number };
  readonly pairings: { readonly taken: number };
  /** How many logins wait to be unlinked. */
  countRetiredLogins(): Promise<number>;
  /** Null where there can be one process alone. */
  readonly replica: { readonly present: number; readonly fencings: number } | null;
  readonly database: {
    readonly nodes: readonly string[];
    readonly primary: string | null;
    readonly failovers: number;
  };
  readonly workers: {
    /** How many are running. */
    readonly running: number;
    readonly load: readonly number[];
    readonly memory: readonly number[];
    readonly restarts: number;
  };
  readonly log: { readonly dropped: number };
  readonly process: { readonly survived: number };
}

/**
 * Everything, in Prometheus's text format. A database that does not answer costs the figures that are read
 * from it, and no others.
 */
export async function readMetrics(metrics: Metrics, sources: Sources): Promise<string> {
  const { requests, sessions, admission, pairings, replica, database, workers, log, process } = sources;
  requests.tell();
  metrics.supervised.set(sessions.supervised);
  metrics.stalled.set(sessions.stalled);
  metrics.loginQueue.set(admission.waiting);
  metrics.pairingsOpen.set(pairings.taken);
  metrics.replicas.set(replica?.present ?? 0);
  for (const node of database.nodes) metrics.databasePrimary.set({ node }, Number(node === database.primary));
  metrics.databaseFailovers.reset();
  metrics.databaseFailovers.inc(database.failovers);
  metrics.fencings.reset();
  metrics.fencings.inc(replica?.fencings ?? 0);
  metrics.workers.set(workers.running);
  metrics.sockets.set(workers.load.reduce((sum, size) => sum + size, 0));
  workers.memory.forEach((bytes, worker) => metrics.workerMemory.set({ worker: String(worker) }, bytes));
  metrics.workerRestarts.reset();
  metrics.workerRestarts.inc(workers.restarts);
  metrics.databaseErrors.inc({ operation: "countByStatus" }, 0);
  metrics.logLinesDropped.reset();
  metrics.logLinesDropped.inc(log.dropped);
  metrics.failuresSurvived.reset();
  metrics.failuresSurvived.inc(process.survived);
  try {
    const [counts, loggedOut, retired] = await Promise.all([
      sources.countByStatus(),
      sources.countLoggedOut(),
      sources.countRetiredLogins(),
    ]);
    for (const status of SESSION_STATUSES) metrics.sessions.set({ status }, counts.get(status) ?? 0);
    metrics.loggedOut.set(loggedOut);
    metrics.retiredLogins.set(retired);
  } catch {
    metrics.databaseErrors.inc({ operation: "countByStatus" });
    metrics.sessions.reset();
    metrics.loggedOut.remove();
    metrics.retiredLogins.remove();
  }
  return await metrics.registry.metrics();
}
