/**
 * Errands: a call can reach any replica, and only the session's owner may act on it. What the one asks and what
 * the other answers are rows that both look at.
 * @module
 */
import type { AddressedErrand, Errand, LeaseStore, ReplicaId } from "../domain/leases.ts";
import { StoreUnavailableError } from "../domain/ports.ts";
import { type Clock, pause } from "../whatsapp/clock.ts";
import type { Log } from "../whatsapp/log.ts";
import type { ErrandAnswer } from "../whatsapp/ownership.ts";

export interface ErrandDeskOptions {
  readonly leases: Pick<
    LeaseStore,
    "sendErrand" | "errandsFor" | "settleErrand" | "errandState" | "dropErrand"
  >;
  readonly clock: Clock;
  readonly log: Log;
  /** How often rows are looked at, in milliseconds. */
  readonly lookMs: number;
}

/** Does what is asked; resolves with what came of it. */
export type RunErrand = (instanceId: string, errand: Errand) => Promise<string>;

export class ErrandDesk {
  readonly #options: ErrandDeskOptions;
  readonly #underWay = new Set<number>();

  constructor(options: ErrandDeskOptions) {
    this.#options = options;
  }

  /**
   * Sends an errand and waits for its outcome.
   * @throws {StoreUnavailableError} when the database cannot be reached
   */
  async ask(to: ReplicaId, instanceId: string, errand: Errand, waitMs: number): Promise<ErrandAnswer> {
    const { leases, clock, lookMs } = this.#options;
    const until = clock.steady() + waitMs;
    const id = await leases.sendErrand(to, instanceId, errand);
    try {
      for (;;) {
        const state = await leases.errandState(id);
        if (state.kind !== "open") return state;
        if (clock.steady() >= until) return { kind: "late" };
        await pause(clock, lookMs);
      }
    } finally {
      await leases.dropErrand(id).catch(() => {}); // removed as stale, some day
    }
  }

  /** Begins every errand that waits for this replica. */
  async serve(replica: ReplicaId, run: RunErrand): Promise<void> {
    for (const errand of await this.#options.leases.errandsFor(replica)) {
      if (!this.#underWay.has(errand.id)) void this.#do(errand, run);
    }
  }

  async #do({ id, instanceId, errand }: AddressedErrand, run: RunErrand): Promise<void> {
    const { leases, log } = this.#options;
    this.#underWay.add(id);
    try {
      await leases.settleErrand(id, await run(instanceId, errand));
    } catch (error) {
      // Whoever waits for it gives up by himself.
      if (!(error instanceof StoreUnavailableError)) {
        log.error({ event: "errand_failed", instance_id: instanceId, err: error });
      }
    } finally {
      this.#underWay.delete(id);
    }
  }
}
