/**
 * On what terms the database is waited for.
 * @module
 */
import type { Breaker, BreakerBounds } from "./breaker.ts";

/** What is waited for how long, in milliseconds; MySQL only. */
export interface StoreBounds {
  /** After which an unanswered statement is given up. */
  readonly statementMs: number;
  /** The same where a call waits for the answer. */
  readonly callMs: number;
  /** The same for presences and leases. */
  readonly controlMs: number;
  /** When the database counts as silent. */
  readonly breaker: Partial<BreakerBounds>;
}

/**
 * A statement that nobody waits for is given time, but a silent server blocks nobody for ever. A call's is longer than a
 * row's lock is waited for (2 s) and shorter than 3 s. Of those that renew a presence several fit into the 7 s after which
 * a replica lets go of its sessions.
 */
export const STORE_BOUNDS: StoreBounds = {
  statementMs: 15_000,
  callMs: 2_500,
  controlMs: 1_500,
  breaker: {},
};

/** How long an answer of the database is waited for, and whether the breaker may cut that short. */
export interface Terms {
  /** How long a connection, or the answer to one statement, is waited for; in milliseconds. */
  readonly boundMs: number;
  /** Refuses, and gives up, while the database is known not to answer; null for who waits all the same. */
  readonly breaker: Breaker | null;
}

/**
 * Waits on these terms.
 * @param giveUp called, at most once, when there is nothing to be waited for any longer
 * @returns ends the wait; false when it was over already
 */
export function waitOn({ boundMs, breaker }: Terms, giveUp: (error: Error) => void): () => boolean {
  let isOver = false;
  const stop = (error: Error) => {
    if (end()) giveUp(error);
  };
  const tooLate = () => stop(noAnswerWithin(boundMs));
  // In two steps: where this process itself was held up, what has come meanwhile is read before the second is over.
  let timer = setTimeout(() => timer = setTimeout(tooLate, LAST_LOOK_MS), boundMs - LAST_LOOK_MS);
  const endQuestion = breaker?.ask(stop);
  const end = () => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(timer);
    endQuestion?.();
    return true;
  };
  return end;
}

/** A statement that the server has taken was not answered in time. */
export class UnansweredError extends Error {
  override readonly name = "UnansweredError";
  /** As the driver has it. */
  readonly code = "ETIMEDOUT";
}

const LAST_LOOK_MS = 100;

function noAnswerWithin(milliseconds: number): Error {
  return Object.assign(new Error(`The server did not answer within ${milliseconds} ms.`), {
    code: "ETIMEDOUT",
  });
}
