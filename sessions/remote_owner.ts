/**
 * What a call goes through to reach a session, be it in the store, here, or with another replica; and what it is
 * told when it could not be reached.
 * @module
 */
import { type ErrorCode, isErrorCode } from "@session-manager/contract";
import { SessionManagerError } from "../domain/errors.ts";
import type { RemoteCommand } from "./ports/ownership.ts";
import { FencedError, ForeignRowError, SessionMissingError, StoreUnavailableError } from "./ports/store.ts";
import type { Ownership } from "./ports/ownership.ts";
import type { ReplicaId } from "../domain/leases.ts";

/** After how many seconds a call that the store could not serve is worth repeating. */
export const RETRY_AFTER_SECONDS = 5;
/** How often a call follows a session from replica to replica before it gives up. */
const PURSUITS = 5;

/** @throws {SessionManagerError} of its own, or `otherwise` for whatever else is thrown */
export async function fromStore<T>(
  work: () => Promise<T>,
  otherwise: ErrorCode = "SESSION_MANAGER_ERROR",
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SessionManagerError) throw error;
    if (error instanceof ForeignRowError) throw foreignRow(error);
    const wait = error instanceof StoreUnavailableError ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {};
    throw new SessionManagerError(otherwise, { cause: error, ...wait });
  }
}

/** What is told of a session whose row is none. */
export function foreignRow(error: ForeignRowError): SessionManagerError {
  return new SessionManagerError("SESSION_MANAGER_ERROR", {
    message: `The database holds a ${error.column} of this session that the contract does not know; ` +
      "ask for a QR to begin it anew.",
    cause: error,
  });
}

/**
 * Repeats what met a session on its way from one replica to another, or that had just been deleted; null says so, and
 * so do the store's errors.
 */
export async function retryOnOwnerChange<T>(attempt: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < PURSUITS; i++) {
    try {
      const result = await attempt();
      if (result !== null) return result;
    } catch (error) {
      if (!(error instanceof FencedError || error instanceof SessionMissingError)) throw error;
    }
  }
  throw new StoreUnavailableError(new Error("The session keeps moving."));
}

/**
 * Has a session's owner do something.
 * @param waitMs how long it may take, in milliseconds
 * @param late what it means when the owner has not answered in time
 * @returns the owner's result, null where it is of a version that tells none; or that the owner is gone
 * @throws {SessionManagerError} what the owner says, or `late`
 */
export async function askOwner(
  ownership: Ownership,
  owner: ReplicaId,
  instanceId: string,
  command: RemoteCommand,
  waitMs: number,
  late: ErrorCode,
): Promise<{ readonly kind: "done"; readonly result: unknown } | { readonly kind: "lost" }> {
  const answer = await ownership.ask(owner, instanceId, command, waitMs);
  switch (answer.kind) {
    case "lost":
      return answer;
    case "late":
      throw new SessionManagerError(late, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    case "done":
      return answer;
    case "failed":
      throw told(isErrorCode(answer.code) ? answer.code : late, answer.retryAfterSeconds);
    default:
      return answer satisfies never;
  }
}

/** An error of the owner's, as this replica tells it. An earlier version tells no delay. */
function told(code: ErrorCode, retryAfterSeconds: number | null): SessionManagerError {
  const seconds = retryAfterSeconds ?? (code === "TOO_MANY_REQUESTS" ? RETRY_AFTER_SECONDS : null);
  return new SessionManagerError(code, seconds === null ? {} : { retryAfterSeconds: seconds });
}
