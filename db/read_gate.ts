/**
 * Reads of a table that is about to be altered: they queue behind whoever alters it, who waits for a transaction that is
 * still open, and each fails after as long as a lock is waited for (2 s, `lock_wait_timeout`). That is waited for once. From
 * then on reads are refused immediately, while one of the gate's own waits in the queue, again and again, and opens the
 * gate when it is answered.
 *
 * A read that locks nothing waits for no row, so this is the one lock that it can meet.
 * @module
 */
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { isLockWait } from "./server_errors.ts";

/** Refuses reads of a table that somebody waits to alter, until one of its own is answered. */
export class ReadGate {
  readonly #probe: () => Promise<unknown>;
  /** What the reads are refused with; null while they are let through. */
  #refusal: StoreUnavailableError | null = null;

  /** @param probe reads as the others do, for the sake of an answer alone */
  constructor(probe: () => Promise<unknown>) {
    this.#probe = probe;
  }

  /**
   * Carries out a read.
   * @throws {StoreUnavailableError} immediately while the table is known to be locked
   */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#refusal !== null) throw this.#refusal;
    try {
      return await read();
    } catch (error) {
      if (meetsLock(error)) this.#close(error.cause);
      throw error;
    }
  }

  #close(cause: unknown): void {
    if (this.#refusal !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#refusal = new StoreUnavailableError(cause, promise);
    void this.#waitForTable().then(() => {
      this.#refusal = null;
      resolve();
    });
  }

  /** Whatever else becomes of the probe is the next read's affair. */
  async #waitForTable(): Promise<void> {
    for (;;) {
      try {
        await this.#probe();
        return;
      } catch (error) {
        if (!meetsLock(error)) return;
      }
    }
  }
}

function meetsLock(error: unknown): error is StoreUnavailableError {
  return error instanceof StoreUnavailableError && isLockWait(error.cause);
}
