/**
 * Whether the database answers reads and leaves writes unanswered. MySQL does so while its disk is full: a commit waits
 * until somebody makes room, for as long as that takes, and cannot be killed. Each write that is tried meanwhile costs the
 * server a connection, until it takes none any more, nobody's.
 *
 * Two writes in a row that were not answered in time, and none that was in between, make it known: a lock is not waited for
 * so long. From then on writes are refused immediately, but for those of the presence: they are of one row, so that no more
 * than one of them is stuck, and the first that is answered ends it.
 * @module
 */
import { SilenceError } from "./breaker.ts";
import { UnansweredError } from "./terms.ts";

/** So many unanswered writes in a row are more than one that was slow. */
const ENOUGH = 2;

/** Writes are known not to be answered. */
export class StallError extends SilenceError {
  constructor(recovery: Promise<void>) {
    super(recovery, "The database does not answer what is to be written; its disk may be full.");
  }
}

/** Refuses writes while the database answers reads and no writes. */
export class WriteStall {
  #unanswered = 0;
  /** Resolves when the stall is over; null while there is none. */
  #recovery: PromiseWithResolvers<void> | null = null;

  /** @throws {StallError} while writes are known not to be answered */
  admit(): void {
    if (this.#recovery !== null) throw new StallError(this.#recovery.promise);
  }

  /** Something has been written. */
  answered(): void {
    this.#unanswered = 0;
    this.#recovery?.resolve();
    this.#recovery = null;
  }

  /** A write has failed. */
  failed(error: unknown): void {
    if (!(error instanceof UnansweredError) || ++this.#unanswered < ENOUGH) return;
    this.#recovery ??= Promise.withResolvers();
  }

  /** Carries out a write of the presence, whatever is known. */
  async probe<T>(write: () => Promise<T>): Promise<T> {
    try {
      const result = await write();
      this.answered();
      return result;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }
}
