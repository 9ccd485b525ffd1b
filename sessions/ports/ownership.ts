/**
 * Whose a session is, as the manager asks: this process's alone, or that of one of several replicas.
 * @module
 */
import type { SessionEvent } from "../../domain/events.ts";
import type { Lease, ReplicaId, Taking } from "../../domain/leases.ts";

export interface Ownership {
  /**
   * Takes a session, so that nobody else acts for it.
   * @throws {StoreUnavailableError} when the database cannot say
   */
  take(instanceId: string): Promise<Taking>;
  /** Whether this lease still counts; asked before every answer from memory and before every socket. */
  holds(lease: Lease | null): boolean;
  /**
   * Gives a session back; what the database does not hear of now is found out later.
   * @param rest whether there is nothing to do for it; otherwise another replica is to take it
   */
  release(lease: Lease | null, rest: boolean): Promise<void>;
  /**
   * Notes that the login of a session of this process does not open.
   * @param keyId the key that would open it
   * @returns whether another replica has that key, so that the session is left to it
   * @throws {StoreUnavailableError} when the database cannot say
   */
  canAnotherOpen(instanceId: string, keyId: string): Promise<boolean>;
  /**
   * Has the owner of a session do something, and waits for it.
   * @returns what came of it, or that the owner is gone, or that it has not answered within `waitMs`
   * @throws {StoreUnavailableError} when the database cannot be reached
   */
  ask(owner: ReplicaId, instanceId: string, command: RemoteCommand, waitMs: number): Promise<CommandAnswer>;
}

/** What came of a command, as plain data of any size. */
export type CommandOutcome =
  /** `result` is JSON; null where the owner is of a version that tells none, and the store has to be read instead. */
  | { readonly kind: "done"; readonly result: unknown }
  /** `code` is that of an error of the catalogue, or one that this version does not know. */
  | { readonly kind: "failed"; readonly code: string; readonly retryAfterSeconds: number | null };

export type CommandAnswer =
  | CommandOutcome
  /** The owner is gone. */
  | { readonly kind: "lost" }
  /** The owner has not answered in time. */
  | { readonly kind: "late" };

/** Where there is one process, everything is its own. */
export const ALONE: Ownership = {
  take: () => Promise.resolve({ kind: "taken", lease: null }),
  holds: () => true,
  release: () => Promise.resolve(),
  canAnotherOpen: () => Promise.resolve(false),
  ask: () => Promise.reject(new Error("There is nobody to ask.")),
};

/** What one replica asks of the owner of a session: a call of the Hub's, or an internal event. */
export type RemoteCommand = Extract<SessionEvent, { type: "qr_requested" | "disconnected" }> | {
  readonly type: "connected";
  readonly phoneNumber: string;
};
