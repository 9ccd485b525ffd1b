/**
 * Remote commands: a call can reach any replica, and only the session's owner may act on it. Command and outcome are
 * columns of a row that both replicas read.
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

/** Runs a command; resolves with its outcome. */
export type RunCommand = (instanceId: string, command: RemoteCommand) => Promise<CommandOutcome>;

/** A command that this replica has started. */
interface Begun {
  /** Null while it is under way. */
  outcome: CommandOutcome | null;
  /** True while the outcome is being written. */
  isSettling: boolean;
}

/** The outcome of a command that threw; the sender answers with its own error. */
const FAILED: CommandOutcome = { kind: "failed", code: "failed", retryAfterSeconds: null };

export class CommandInbox {
  readonly #options: CommandInboxOptions;
  /** Commands that must not run again, kept until a look no longer finds them. */
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
      await leases.dropCommand(id).catch(() => {}); // tidied as stale
    }
  }

  /**
   * Runs every command that waits for this replica, each once. A command that is found again, because it was settled
   * during the look or its outcome could not be written, is only settled again.
   */
  async serve(replica: ReplicaId, run: RunCommand): Promise<void> {
    const before = [...this.#begun].filter(([, { outcome }]) => outcome !== null).map(([id]) => id);
    const waiting = await this.#options.leases.commandsFor(replica);
    const found = new Set(waiting.map(({ id }) => id));
    // It had ended before this look and is not found any more: it is settled, or its sender has dropped it.
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
      // The next look finds it and settles it again; the sender stops waiting at its own deadline.
      if (!(error instanceof StoreUnavailableError)) {
        this.#options.log.error({ event: "command_failed", err: error });
      }
    } finally {
      begun.isSettling = false;
    }
  }
}
