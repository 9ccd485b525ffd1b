/**
 * The sessions that this process acts for: each has one supervisor for as long as something is going on or
 * a call needs it. A session is taken before anything is done for it, and given back afterwards.
 * @module
 */
import { FencedError } from "./ports/store.ts";
import type { ReplicaId } from "../domain/leases.ts";
import { atRest } from "../domain/snapshot.ts";
import { type StoredSession, StoreUnavailableError } from "./ports/store.ts";
import { pause } from "../runtime/clock.ts";
import { ALONE, type Ownership } from "./ports/ownership.ts";
import { Supervisor, type SupervisorDeps } from "./supervisor.ts";

/** What the registry needs, and passes on to each supervisor. */
export interface RegistryOptions
  extends
    Omit<SupervisorDeps, "ownership" | "onIdle" | "onFenced" | "onMissing" | "onUnopened" | "onBroken"> {
  /** Whose the sessions are; all this process's own where it is not given. */
  readonly ownership?: Ownership;
}

/** Who acts for a session. */
export type Holder =
  | { readonly kind: "local"; readonly supervisor: Supervisor }
  | { readonly kind: "remote"; readonly owner: ReplicaId }
  /** There is no such session. */
  | { readonly kind: "missing" };

/** How long a session rests that could not be written, before it is begun anew; in milliseconds. */
const RELOAD_MS = 5_000;

/** Finds a session, or makes it. */
export type Load = () => Promise<StoredSession | null>;

/** A session's one supervisor, loaded or being loaded. */
interface Entry {
  readonly loading: Promise<Holder>;
  supervisor: Supervisor | null;
  /** Calls that hold the supervisor; while there are any, it stays the only one. */
  users: number;
  /** Resolves once the session has been handed over; null while it stays. */
  leaving: Promise<void> | null;
}

/** The supervisors of this process, one for each session that is being acted for. */
export class SupervisorRegistry {
  readonly #options: RegistryOptions;
  readonly #ownership: Ownership;
  readonly #deps: SupervisorDeps;
  readonly #entries = new Map<string, Entry>();
  #stopping = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#ownership = options.ownership ?? ALONE;
    this.#deps = {
      ...options,
      ownership: this.#ownership,
      onIdle: ({ instanceId }) => this.#dismiss(instanceId),
      onFenced: (supervisor) => this.#forget(supervisor, "session_fenced"),
      onMissing: (supervisor) => void this.#dropMissing(supervisor),
      onUnopened: ({ instanceId }) => this.#leaveUnopened(instanceId),
      onBroken: (supervisor) => void this.#reload(supervisor),
    };
  }

  /** The supervisor of a session that this process acts for, without doubt and at this moment. */
  find(instanceId: string): Supervisor | null {
    const entry = this.#entries.get(instanceId);
    if (!entry?.supervisor || entry.leaving !== null) return null;
    return this.#ownership.holds(entry.supervisor.lease) ? entry.supervisor : null;
  }

  /** Whether this session is supervised, or about to be. */
  has(instanceId: string): boolean {
    return this.#entries.has(instanceId);
  }

  /** How many sessions are supervised, or about to be. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many sessions have a change that waits for the store. */
  get stalled(): number {
    let stalled = 0;
    for (const { supervisor } of this.#entries.values()) if (supervisor?.isStalled) stalled++;
    return stalled;
  }

  /**
   * Runs `work` with whoever acts for the session; a local supervisor stays the only one until it is done.
   * @throws {FencedError} when the session has just been lost to another replica
   * @throws {StoreUnavailableError} when nobody can say whose it is, or the service is stopping
   */
  async using<T>(
    instanceId: string,
    load: Load,
    work: (holder: Holder) => T,
  ): Promise<Awaited<T>> {
    await this.#entries.get(instanceId)?.leaving;
    const entry = this.#entries.get(instanceId) ?? this.#load(instanceId, load);
    entry.users++;
    try {
      const holder = await entry.loading;
      if (holder.kind === "local" && !this.#ownership.holds(holder.supervisor.lease)) {
        throw new FencedError(instanceId);
      }
      return await work(holder);
    } finally {
      entry.users--;
      this.#dismiss(instanceId);
    }
  }

  /** Settles what was left behind by a session, as far as this process acts for it. */
  async restore(instanceId: string, load: Load): Promise<void> {
    await this.using(instanceId, load, async (holder) => {
      if (holder.kind !== "local") return;
      const { supervisor } = holder;
      await supervisor.resume().catch((error) => {
        if (!supervisor.isStalled) throw error;
      });
    });
  }

  /**
   * Gives up so many sessions for other replicas to take, where nobody waits for something: closes their sockets
   * without unlinking, and frees them once the connections are down.
   * @returns how many
   */
  async rebalance(count: number): Promise<number> {
    const movable = [...this.#entries.values()].filter(isMovable).slice(0, count);
    await Promise.all(movable.map((entry) => entry.leaving = this.#leave(entry)));
    return movable.length;
  }

  /**
   * Abandons all sessions without a write: another replica may take them in a moment.
   * @returns resolves once every connection is down
   */
  async abandonAll(): Promise<void> {
    const supervisors = [...this.#entries.values()].flatMap(({ supervisor }) => supervisor ?? []);
    for (const supervisor of supervisors) {
      this.#entries.delete(supervisor.instanceId);
      try {
        supervisor.abandon();
      } catch (error) {
        // The others are let go of all the same; this one's connection is waited for like theirs.
        this.#options.log.error({
          event: "supervision_failed",
          instance_id: supervisor.instanceId,
          err: error,
        });
      }
    }
    await Promise.all(supervisors.map((supervisor) => supervisor.alone));
  }

  /** Closes all sockets, keeps the links, and rejects new calls. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const stops = [...this.#entries.values()].map(async ({ loading }) => {
      const holder = await loading;
      if (holder.kind === "local") await holder.supervisor.stop();
    });
    await Promise.allSettled(stops);
    this.#entries.clear();
  }

  #load(instanceId: string, load: Load): Entry {
    const supervise = async () => {
      if (this.#stopping) throw new StoreUnavailableError(new Error("The service is stopping."));
      try {
        const holder = await this.#take(instanceId, load);
        if (holder.kind === "local") entry.supervisor = holder.supervisor;
        return holder;
      } finally {
        if (entry.supervisor === null) this.#entries.delete(instanceId);
      }
    };
    const loading = Promise.resolve().then(supervise);
    const entry: Entry = { loading, supervisor: null, users: 0, leaving: null };
    this.#entries.set(instanceId, entry);
    return entry;
  }

  async #take(instanceId: string, load: Load): Promise<Holder> {
    const known = await load();
    if (known === null) return { kind: "missing" };
    const taking = await this.#ownership.take(instanceId);
    if (taking.kind === "held") return { kind: "remote", owner: taking.by };
    const { lease } = taking;
    try {
      // Another replica may have written up to the moment of the taking.
      const { session, link, predecessor, foreign } = lease === null
        ? known
        : await this.#options.store.find(instanceId) ?? known;
      if (foreign !== undefined) {
        await this.#options.store.save(session, { kind: "keep" }, lease);
        this.#options.log.warn({
          event: "foreign_row_replaced",
          instance_id: instanceId,
          column: foreign.column,
        });
      }
      const snapshot = atRest(session, link, predecessor);
      return { kind: "local", supervisor: new Supervisor(snapshot, this.#deps, lease) };
    } catch (error) {
      await this.#ownership.release(lease, false);
      throw error;
    }
  }

  /** Leaves a session to the store once nobody needs its supervisor. */
  #dismiss(instanceId: string): void {
    const entry = this.#entries.get(instanceId);
    if (!entry?.supervisor?.isIdle || entry.users > 0 || entry.leaving !== null) return;
    // One that rests because the service stops has work to be done for it, by another replica.
    if (this.#stopping) return;
    this.#entries.delete(instanceId);
    void this.#ownership.release(entry.supervisor.lease, true);
  }

  /** Leaves a session to another replica that can open its login; calls for it wait until it is free. */
  #leaveUnopened(instanceId: string): void {
    const entry = this.#entries.get(instanceId);
    if (entry?.supervisor && entry.leaving === null) entry.leaving = this.#leave(entry);
  }

  /** Leaves a session to another replica. */
  async #leave({ supervisor }: Entry): Promise<void> {
    if (supervisor === null) return;
    await supervisor.stop();
    await supervisor.alone;
    await this.#ownership.release(supervisor.lease, false);
    this.#entries.delete(supervisor.instanceId);
  }

  /**
   * Begins anew with what the store holds. Until then the session is answered as one that cannot be told of: what
   * happened to it could not be written.
   */
  async #reload(broken: Supervisor): Promise<void> {
    const { instanceId, lease, alone } = broken;
    const { clock, log, store } = this.#options;
    await Promise.all([alone, pause(clock, RELOAD_MS)]);
    if (this.#stopping || this.#entries.get(instanceId)?.supervisor !== broken) return;
    this.#entries.delete(instanceId);
    await this.#ownership.release(lease, false);
    await this.restore(instanceId, () => store.find(instanceId)).catch((error) =>
      log.error({ event: "session_not_reloaded", instance_id: instanceId, err: error })
    );
  }

  /** Forgets a session that has been deleted, and releases its lease. */
  async #dropMissing(supervisor: Supervisor): Promise<void> {
    this.#forget(supervisor, "session_missing");
    await supervisor.alone;
    await this.#ownership.release(supervisor.lease, true);
  }

  #forget({ instanceId }: Supervisor, event: "session_fenced" | "session_missing"): void {
    this.#entries.delete(instanceId);
    this.#options.log.warn({ event, instance_id: instanceId });
  }
}

/** Whether a session can change its replica: nobody waits for it, and no QR would be lost. */
function isMovable({ supervisor, users, leaving }: Entry): boolean {
  if (supervisor === null || users > 0 || leaving !== null) return false;
  const { login, pairing } = supervisor.snapshot;
  if (pairing.kind !== "none") return false;
  return login.kind === "open" || login.kind === "waiting" || login.kind === "queued";
}
