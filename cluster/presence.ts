/**
 * The presence of this replica: renewed again and again, and given up in good time when that fails, so that no
 * socket is left when others may take the sessions.
 * @module
 */
import { KeysDisagreeError } from "../domain/key_ring.ts";
import type { LeaseStore } from "./ports.ts";
import type { ReplicaId } from "../domain/leases.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Mark, Stopwatch } from "./stopwatch.ts";

/** In milliseconds. */
export interface PresenceBounds {
  /** How long a presence lasts that is not renewed. */
  readonly ttlMs: number;
  /** How often it is renewed. */
  readonly renewMs: number;
  /** So long before it runs out the sessions are let go of; closing their sockets has to fit in. */
  readonly marginMs: number;
}

/** How long a goodbye waits for a database that does not answer, in milliseconds. */
const GOODBYE_MS = 2_000;

/** What keeping up a presence needs. */
export interface PresenceOptions {
  readonly leases: Pick<LeaseStore, "join" | "renew" | "leave">;
  readonly clock: Clock;
  readonly stopwatch: Stopwatch;
  readonly bounds: PresenceBounds;
  readonly log: Log;
  /** Lets go of every session; resolves once no connection is left, and never rejects. */
  readonly onLost: () => Promise<void>;
}

/** Keeps this replica present in the database, and gives everything up before its presence lapses. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #ending = new AbortController();
  /** Null while this replica has no right to anything. */
  #id: ReplicaId | null = null;
  #renewedAt: Mark;
  /** The presence that was lost, once nothing is left of it; null where none was. */
  #lost: Promise<ReplicaId> | null = null;
  #cancelDeadline: (() => void) | null = null;
  #renewing: Promise<void> = Promise.resolve();

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#renewedAt = options.stopwatch.mark();
  }

  /** This replica's present life; null while it may act for nobody. */
  get id(): ReplicaId | null {
    return this.#isFresh() ? this.#id : null;
  }

  /**
   * Joins, and stays from then on.
   * @throws {StoreUnavailableError} when the database cannot be reached
   */
  async join(): Promise<void> {
    await this.#join();
    this.#renewing = this.#renewForEver();
  }

  /** Ends the presence, for good; its sessions are free immediately where the database can be told in time. */
  async leave(): Promise<void> {
    this.#ending.abort();
    this.#cancelDeadline?.();
    const saidGoodbye = new AbortController();
    const goodbye = this.#sayGoodbye().finally(() => saidGoodbye.abort());
    await Promise.race([goodbye, pause(this.#options.clock, GOODBYE_MS, saidGoodbye.signal)]);
  }

  async #sayGoodbye(): Promise<void> {
    await this.#renewing;
    const id = this.#id ?? await this.#lost;
    this.#id = null;
    // Where the database cannot be told, the others find out by themselves.
    if (id !== null) await this.#options.leases.leave(id).catch(() => {});
  }

  async #join(): Promise<void> {
    const { leases, stopwatch, bounds, log } = this.#options;
    const id = crypto.randomUUID();
    const asked = stopwatch.mark();
    const { unopened } = await leases.join(id, bounds.ttlMs);
    this.#id = id;
    this.#renewed(asked);
    log.info({ event: "replica_joined", replica: id });
    if (unopened > 0) log.warn({ event: "logins_unreadable", logins: unopened });
  }

  async #renewForEver(): Promise<void> {
    const { clock, bounds, log } = this.#options;
    const { signal } = this.#ending;
    let isLate = false;
    for (;;) {
      await pause(clock, bounds.renewMs, signal);
      if (signal.aborted) return;
      try {
        await (this.#id === null ? this.#rejoin() : this.#renew(this.#id));
        isLate = false;
      } catch (error) {
        // Whatever it is, the deadline goes on, and says when it is too late.
        const isOutage = error instanceof StoreUnavailableError;
        if (!isOutage && !(error instanceof KeysDisagreeError)) {
          log.error({ event: "replica_failed", err: error });
        } // Once an outage: what is said is the same every time.
        else if (!isLate) log[isOutage ? "warn" : "error"]({ event: "replica_not_renewed", err: error });
        isLate = true;
      }
    }
  }

  async #renew(id: ReplicaId): Promise<void> {
    const { leases, stopwatch, bounds } = this.#options;
    const asked = stopwatch.mark();
    const isPresent = await leases.renew(id, bounds.ttlMs);
    if (this.#id !== id) return; // given up in the meantime
    if (isPresent) this.#renewed(asked);
    else this.#lose();
  }

  /** Under another name: whatever is still on its way under the old one is fenced off. */
  async #rejoin(): Promise<void> {
    if (this.#lost !== null) {
      // Its sessions are free immediately, and need not wait for the presence to run out.
      await this.#options.leases.leave(await this.#lost);
      this.#lost = null;
    }
    await this.#join();
  }

  /** @param asked when the renewal was sent off: the database's answer may have taken its time */
  #renewed(asked: Mark): void {
    this.#renewedAt = asked;
    this.#watch();
  }

  #watch(): void {
    const { clock, stopwatch } = this.#options;
    this.#cancelDeadline?.();
    if (this.#ending.signal.aborted) return;
    if (!this.#isFresh()) return this.#lose();
    const leftMs = this.#limitMs - stopwatch.since(this.#renewedAt);
    this.#cancelDeadline = clock.after(leftMs, () => this.#watch());
  }

  #lose(): void {
    const id = this.#id;
    if (id === null) return;
    this.#id = null;
    this.#cancelDeadline?.();
    this.#options.log.error({ event: "replica_fenced", replica: id });
    this.#lost = this.#options.onLost().then(() => id);
  }

  get #limitMs(): number {
    const { ttlMs, marginMs } = this.#options.bounds;
    return ttlMs - marginMs;
  }

  #isFresh(): boolean {
    return this.#options.stopwatch.since(this.#renewedAt) < this.#limitMs;
  }
}
