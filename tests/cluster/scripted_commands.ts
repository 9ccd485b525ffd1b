/**
 * What replicas leave for each other to do, in memory. How a command's answer looks is known here alone.
 * @module
 */
import type { AddressedErrand, ErrandState, LeaseStore } from "../../cluster/ports.ts";
import type { Sessions } from "../../cluster/replica.ts";
import type { Errand, ErrandAnswer } from "../../sessions/ports/ownership.ts";

/** What a replica's sessions answer. */
export type Outcome = Awaited<ReturnType<Sessions["runErrand"]>>;
type Settled = Parameters<LeaseStore["settleErrand"]>[1];

/** The answer of sessions that have done what they were asked. */
export const CARRIED_OUT: Outcome = { kind: "done", result: { qr_string: "data:" } };
/** What the sender is told then. */
export const TOLD_DONE: ErrandAnswer = CARRIED_OUT;
/** What the sender is told when the owner has thrown. */
export const TOLD_FAILED: ErrandAnswer = { kind: "failed", code: "failed", retryAfterSeconds: null };

function stateOf(outcome: Settled): ErrandState {
  return outcome;
}

interface CommandRow extends AddressedErrand {
  readonly to: string;
  state: ErrandState | null;
}

export class CommandTable {
  readonly rows = new Map<number, CommandRow>();
  #next = 0;

  send(to: string, instanceId: string, errand: Errand): number {
    const id = ++this.#next;
    this.rows.set(id, { id, to, instanceId, errand, state: null });
    return id;
  }

  waitingFor(replica: string): AddressedErrand[] {
    return [...this.rows.values()].filter(({ to, state }) => to === replica && state === null);
  }

  settle(id: number, outcome: Settled): void {
    const row = this.rows.get(id);
    if (row !== undefined) row.state = stateOf(outcome);
  }

  stateOf(id: number, isPresent: (replica: string) => boolean): ErrandState {
    const row = this.rows.get(id);
    if (row === undefined) return { kind: "lost" };
    return row.state ?? (isPresent(row.to) ? { kind: "open" } : { kind: "lost" });
  }

  /** Nobody asks a replica that has left. */
  forget(replica: string): void {
    for (const { id, to } of this.rows.values()) if (to === replica) this.rows.delete(id);
  }
}
