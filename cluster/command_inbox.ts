/**
 * Commands: a call can reach any replica, and only the session's owner may act on it. What the one asks and what
 * the other answers are rows that both look at.
 * @module
 */
import type { AddressedCommand, LeaseStore } from "./ports.ts";
import type { CommandOutcome, RemoteCommand } from "../sessions/ports/ownership.ts";
import type { ReplicaId } from "../domain/leases.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { CommandAnswer } from "../sessions/ports/ownership.ts";

export interface CommandInboxOptions {
  readonly leases: Pick<
    LeaseStore,
    "sendCommand" | "commandsFor" | "settleCommand" | "commandState" | "dropCommand"
  >;
  readonly clock: Clock;
  readonly log: Log;
  /** How often rows are looked at, in milliseconds. */
  readonly lookMs: number;
}

/** Does what is asked; resolves with what came of it. */
export type RunCommand = (instanceId: string, command: RemoteCommand) => Promise<CommandOutcome>;

/** A command that this replica has begun. */
interface Begun {
  /** Null while it is under way. */
  outcome: CommandOutcome | null;
  /** Whether the outcome is being told. */
  isSettling: boolean;
}

/** What is told of one that threw; its sender makes its own error of it. */
const FAILED: CommandOutcome = { kind: "failed", code: "failed", retryAfterSeconds: null };

export class CommandInbox {
  readonly #options: CommandInboxOptions;
  /** What must not be begun again: until it is known that nobody finds it any more. */
  readonly #begun = new Map<number, Begun>();

  constructor(options: CommandInboxOptions) {
    this.#options = options;
  }

  /**
   * Sends a command and waits for its outcome.
   * @throws {StoreUnavailableError} when the database cannot be reached
   */
  async ask(
    to: ReplicaId,
    instanceId: string,
    command: RemoteCommand,
    waitMs: number,
  ): Promise<CommandAnswer> {
    const { leases, clock, lookMs } = this.#options;
    const until = clock.steady() + waitMs;
    const id = await leases.sendCommand(to, instanceId, command);
    try {
      for (;;) {
        const state = await leases.commandState(id);
        if (state.kind !== "open") return state;
        if (clock.steady() >= until) return { kind: "late" };
        await pause(clock, lookMs);
      }
    } finally {
      await leases.dropCommand(id).catch(() => {}); // removed as stale, some day
    }
  }

  /**
   * Begins every command that waits for this replica, each once: one that is found again, because it was settled while it
   * was looked for or because its outcome could not be told, is only settled.
   */
  async serve(replica: ReplicaId, run: RunCommand): Promise<void> {
    const before = [...this.#begun].filter(([, { outcome }]) => outcome !== null).map(([id]) => id);
    const waiting = await this.#options.leases.commandsFor(replica);
    const found = new Set(waiting.map(({ id }) => id));
    // It was over before anybody looked, and is not there: it has been settled, or taken back.
    for (const id of before) if (!found.has(id)) this.#begun.delete(id);
    const isOld = new Set(before);
    for (const command of waiting) {
      const begun = this.#begun.get(command.id);
      if (begun === undefined) void this.#do(command, run);
      else if (isOld.has(command.id)) void this.#settle(command.id, begun);
    }
  }

  async #do({ id, instanceId, command }: AddressedCommand, run: RunCommand): Promise<void> {
    const begun: Begun = { outcome: null, isSettling: false };
    this.#begun.set(id, begun);
    try {
      begun.outcome = await run(instanceId, command);
    } catch (error) {
      this.#options.log.error({ event: "command_failed", instance_id: instanceId, err: error });
      begun.outcome = FAILED;
    }
    await this.#settle(id, begun);
  }

  async #settle(id: number, begun: Begun): Promise<void> {
    if (begun.outcome === null || begun.isSettling) return;
    begun.isSettling = true;
    try {
      await this.#options.leases.settleCommand(id, begun.outcome);
    } catch (error) {
      // Found again, it is told again; whoever waits for it gives up by himself.
      if (!(error instanceof StoreUnavailableError)) {
        this.#options.log.error({ event: "command_failed", err: error });
      }
    } finally {
      begun.isSettling = false;
    }
  }
}
