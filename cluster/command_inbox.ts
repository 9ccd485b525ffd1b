/**
 * Errands: a call can reach any replica, and only the session's owner may act on it. What the one asks and what
 * the other answers are rows that both look at.
 * @module
 */
import type { AddressedErrand, LeaseStore } from "./ports.ts";
import type { CommandOutcome, Errand } from "../sessions/ports/ownership.ts";
import type { ReplicaId } from "../domain/leases.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { ErrandAnswer } from "../sessions/ports/ownership.ts";

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
export type RunErrand = (instanceId: string, errand: Errand) => Promise<CommandOutcome>;

/** An errand that this replica has begun. */
interface Begun {
  /** Null while it is under way. */
  outcome: CommandOutcome | null;
  /** Whether the outcome is being told. */
  isSettling: boolean;
}

/** What is told of one that threw; its sender makes its own error of it. */
const FAILED: CommandOutcome = { kind: "failed", code: "failed", retryAfterSeconds: null };

export class ErrandDesk {
  readonly #options: ErrandDeskOptions;
  /** What must not be begun again: until it is known that nobody finds it any more. */
  readonly #begun = new Map<number, Begun>();

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

  /**
   * Begins every errand that waits for this replica, each once: one that is found again, because it was settled while it
   * was looked for or because its outcome could not be told, is only settled.
   */
  async serve(replica: ReplicaId, run: RunErrand): Promise<void> {
    const before = [...this.#begun].filter(([, { outcome }]) => outcome !== null).map(([id]) => id);
    const waiting = await this.#options.leases.errandsFor(replica);
    const found = new Set(waiting.map(({ id }) => id));
    // It was over before anybody looked, and is not there: it has been settled, or taken back.
    for (const id of before) if (!found.has(id)) this.#begun.delete(id);
    const isOld = new Set(before);
    for (const errand of waiting) {
      const begun = this.#begun.get(errand.id);
      if (begun === undefined) void this.#do(errand, run);
      else if (isOld.has(errand.id)) void this.#settle(errand.id, begun);
    }
  }

  async #do({ id, instanceId, errand }: AddressedErrand, run: RunErrand): Promise<void> {
    const begun: Begun = { outcome: null, isSettling: false };
    this.#begun.set(id, begun);
    try {
      begun.outcome = await run(instanceId, errand);
    } catch (error) {
      this.#options.log.error({ event: "errand_failed", instance_id: instanceId, err: error });
      begun.outcome = FAILED;
    }
    await this.#settle(id, begun);
  }

  async #settle(id: number, begun: Begun): Promise<void> {
    if (begun.outcome === null || begun.isSettling) return;
    begun.isSettling = true;
    try {
      await this.#options.leases.settleErrand(id, begun.outcome);
    } catch (error) {
      // Found again, it is told again; whoever waits for it gives up by himself.
      if (!(error instanceof StoreUnavailableError)) {
        this.#options.log.error({ event: "errand_failed", err: error });
      }
    } finally {
      begun.isSettling = false;
    }
  }
}
