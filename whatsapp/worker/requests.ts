/**
 * Requests that wait for their answer, for either side of a worker: the main thread's to the worker, and a socket's to
 * the main thread. Here, and not beside the protocol, because the runtime reads a worker's modules from this folder
 * alone.
 * @module
 */
import type { Clock } from "../../runtime/clock.ts";
import type { RequestId, SocketId } from "../protocol.ts";

/** No answer has come before the deadline. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";

  /** @param ms how long it was waited for, in milliseconds */
  constructor(ms: number) {
    super(`No answer within ${ms} ms.`);
  }
}

/** How long an answer is waited for. */
export interface Deadline {
  readonly clock: Pick<Clock, "after">;
  readonly ms: number;
}

/** Which answer a request accepts, how long it waits, and what ends it early. */
export interface RequestOptions<Answer, Expected extends Answer> {
  /** Whether an answer is of the kind that this request asks for; without it every one is. */
  readonly isAnswer?: (answer: Answer) => answer is Expected;
  /** Without it the answer is waited for until the other side, or the socket, is over. */
  readonly deadline?: Deadline;
  /** The socket that the request is of or for; the request ends with it. */
  readonly socket?: SocketId;
}

/** One request that has been made. */
export interface PendingRequest<Answer> {
  /** By which the other side names it in its answer. */
  readonly id: RequestId;
  /**
   * Rejects with a {@link DeadlineError} when none comes in time, and with the error that was given when the other
   * side or the socket is over.
   */
  readonly answer: Promise<Answer>;
  /** Waits for so many milliseconds from now on, where there is a deadline. */
  restartDeadline(ms: number): void;
}

/**
 * What an answer is: one that is waited for; one that comes after its request has ended, and is ignored; or one that no
 * request has asked for.
 */
export type AnswerVerdict = "expected" | "late" | "unexpected";

interface Waiting<Answer> {
  readonly socket: SocketId | undefined;
  readonly isAnswer: (answer: Answer) => boolean;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  cancelDeadline: () => void;
}

/** The requests of one side that wait for the other. */
export class PendingRequests<Answer> {
  readonly #waiting = new Map<RequestId, Waiting<Answer>>();
  /** Requests that have ended without an answer, which may still come. */
  readonly #unanswered = new Set<RequestId>();
  #lastId: RequestId = 0;
  #over: Error | null = null;

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Notes a request that is about to be sent; once the other side is over it rejects immediately. */
  add<Expected extends Answer = Answer>(
    { isAnswer, deadline, socket }: RequestOptions<Answer, Expected> = {},
  ): PendingRequest<Expected> {
    const id = ++this.#lastId;
    const { promise: answer, resolve, reject } = Promise.withResolvers<Expected>();
    if (this.#over !== null) {
      reject(this.#over);
      return { id, answer, restartDeadline: () => {} };
    }
    const waiting: Waiting<Answer> = {
      socket,
      isAnswer: isAnswer ?? (() => true),
      // No other answer gets here.
      resolve: resolve as (answer: Answer) => void,
      reject,
      cancelDeadline: () => {},
    };
    this.#waiting.set(id, waiting);
    const restartDeadline = (ms: number) => {
      if (deadline === undefined || !this.#waiting.has(id)) return;
      waiting.cancelDeadline();
      waiting.cancelDeadline = after({ ...deadline, ms }, () => this.#abandon(id, new DeadlineError(ms)));
    };
    if (deadline !== undefined) restartDeadline(deadline.ms);
    return { id, answer, restartDeadline };
  }

  /** Takes an answer that has come. */
  settle(id: RequestId, answer: Answer): AnswerVerdict {
    if (this.#unanswered.delete(id)) return "late";
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || !waiting.isAnswer(answer)) return "unexpected";
    this.#waiting.delete(id);
    waiting.cancelDeadline();
    waiting.resolve(answer);
    return "expected";
  }

  /** Ends the requests of a socket that is over. */
  endSocket(socket: SocketId, error: Error): void {
    for (const [id, waiting] of this.#waiting) if (waiting.socket === socket) this.#abandon(id, error);
  }

  /** Ends all requests, those to come included: the other side is over. */
  end(error: Error): void {
    this.#over ??= error;
    for (const id of this.#waiting.keys()) this.#abandon(id, error);
  }

  #abandon(id: RequestId, error: Error): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#unanswered.add(id);
    waiting.cancelDeadline();
    waiting.reject(error);
  }
}

/** How long before its deadline a request is looked at for the last time, in milliseconds. */
const LAST_LOOK_MS = 100;

/**
 * Calls back at the deadline. In two steps: where this thread itself was held up, the messages that have arrived
 * meanwhile are read before the second one is over.
 * @returns calls it off
 */
function after({ clock, ms }: Deadline, callback: () => void): () => void {
  const lastMs = Math.min(LAST_LOOK_MS, ms);
  let cancel = clock.after(ms - lastMs, () => cancel = clock.after(lastMs, callback));
  return () => cancel();
}
