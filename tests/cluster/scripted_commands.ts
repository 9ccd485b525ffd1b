/**
 * What replicas leave for each other to do, in memory. How a command's answer looks is known here alone.
 * @module
 */
import type { AddressedCommand, CommandState, LeaseStore } from "../../cluster/ports.ts";
import type { Sessions } from "../../cluster/replica.ts";
import type { CommandAnswer, RemoteCommand } from "../../sessions/ports/ownership.ts";

/** What a replica's sessions answer. */
export type Outcome = Awaited<ReturnType<Sessions["runCommand"]>>;
type Settled = Parameters<LeaseStore["settleCommand"]>[1];

/** The answer of sessions that have done what they were asked. */
export const CARRIED_OUT: Outcome = { kind: "done", result: { qr_string: "data:" } };
/** What the sender is told then. */
export const TOLD_DONE: CommandAnswer = CARRIED_OUT;
/** What the sender is told when the owner has thrown. */
export const TOLD_FAILED: CommandAnswer = { kind: "failed", code: "failed", retryAfterSeconds: null };

function stateOf(outcome: Settled): CommandState {
  return outcome;
}

interface CommandRow extends AddressedCommand {
  readonly to: string;
  state: CommandState | null;
}

export class CommandTable {
  readonly rows = new Map<number, CommandRow>();
  #next = 0;

  send(to: string, instanceId: string, command: RemoteCommand): number {
    const id = ++this.#next;
    this.rows.set(id, { id, to, instanceId, command, state: null });
    return id;
  }

  waitingFor(replica: string): AddressedCommand[] {
    return [...this.rows.values()].filter(({ to, state }) => to === replica && state === null);
  }

  settle(id: number, outcome: Settled): void {
    const row = this.rows.get(id);
    if (row !== undefined) row.state = stateOf(outcome);
  }

  stateOf(id: number, isPresent: (replica: string) => boolean): CommandState {
    const row = this.rows.get(id);
    if (row === undefined) return { kind: "lost" };
    return row.state ?? (isPresent(row.to) ? { kind: "open" } : { kind: "lost" });
  }

  /** Nobody asks a replica that has left. */
  forget(replica: string): void {
    for (const { id, to } of this.rows.values()) if (to === replica) this.rows.delete(id);
  }
}
