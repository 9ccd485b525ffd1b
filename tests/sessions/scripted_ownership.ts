/**
 * Who holds which session, in memory: this replica, `me`, and others that a test lets act.
 * @module
 */
import type { Lease, Taking } from "../../domain/leases.ts";
import type {
  CommandAnswer,
  CommandOutcome,
  Ownership,
  RemoteCommand,
} from "../../sessions/ports/ownership.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";

/** The replica under test. */
export const ME = "me";

/** What the owner of a session was asked. */
export interface Asked {
  readonly owner: string;
  readonly instanceId: string;
  readonly command: RemoteCommand;
  readonly waitMs: number;
}

/** The owner's answer that it has done what it was asked, as an earlier version gives it: without a result. */
export const DONE: CommandAnswer = { kind: "done", result: null };

/** What comes of a command that ends in this error, by its code. */
export function refusedWith(code: string): CommandOutcome {
  return { kind: "failed", code, retryAfterSeconds: null };
}

export class ScriptedOwnership implements Ownership {
  readonly #leases = new Map<string, Lease>();
  /** Every lease that was given back, and whether the session is at rest. */
  readonly released: { readonly lease: Lease | null; readonly rest: boolean }[] = [];
  readonly asked: Asked[] = [];
  /** Keys that a replica beside this one has. */
  readonly keysOfOthers = new Set<string>();
  /** Whether this replica may act for anybody. */
  isPresent = true;
  /** Whether the database can be asked. */
  isAway = false;
  /** How the owner of a session answers. */
  answer: (asked: Asked) => Promise<CommandAnswer> = () => Promise.resolve(DONE);
  /** Called before a session is taken; what it returns is waited for. */
  beforeTake: () => Promise<void> = () => Promise.resolve();
  #epoch = 0;

  /** Gives a session to a replica, whoever had it. */
  assign(instanceId: string, replica: string): Lease {
    const lease = { instanceId, replica, epoch: ++this.#epoch };
    this.#leases.set(instanceId, lease);
    return lease;
  }

  /** Whose a session is; null when nobody has it. */
  ownerOf(instanceId: string): string | null {
    return this.#leases.get(instanceId)?.replica ?? null;
  }

  /** Leaves a session to whoever takes it. */
  vacate(instanceId: string): void {
    this.#leases.delete(instanceId);
  }

  /** Whether the store lets a write under this lease through. */
  isCurrent(lease: Lease | null): boolean {
    return lease !== null && this.#leases.get(lease.instanceId)?.epoch === lease.epoch;
  }

  async take(instanceId: string): Promise<Taking> {
    await this.beforeTake();
    if (this.isAway || !this.isPresent) throw new StoreUnavailableError(new Error("scripted"));
    const held = this.#leases.get(instanceId);
    if (held !== undefined && held.replica !== ME) return { kind: "held", by: held.replica };
    return { kind: "taken", lease: this.assign(instanceId, ME) };
  }

  holds(lease: Lease | null): boolean {
    return this.isPresent && lease?.replica === ME;
  }

  release(lease: Lease | null, rest: boolean): Promise<void> {
    this.released.push({ lease, rest });
    if (lease !== null && this.isCurrent(lease)) this.#leases.delete(lease.instanceId);
    return Promise.resolve();
  }

  canAnotherOpen(_instanceId: string, keyId: string): Promise<boolean> {
    return this.isAway
      ? Promise.reject(new StoreUnavailableError(new Error("scripted")))
      : Promise.resolve(this.keysOfOthers.has(keyId));
  }

  ask(owner: string, instanceId: string, command: RemoteCommand, waitMs: number): Promise<CommandAnswer> {
    const asked = { owner, instanceId, command, waitMs };
    this.asked.push(asked);
    return this.answer(asked);
  }
}
