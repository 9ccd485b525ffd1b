/**
 * How many writes may be under way, so that those that wait for rows which other clients have locked leave connections
 * for everything else.
 *
 * Reads wait for no row, and always find a connection. A write that has met a lock has waited for it on a connection of
 * its own, for as long as the server lets it (`innodb_lock_wait_timeout`); while that is so, the next ones first ask
 * whether their session's row is free, which the server answers immediately, and those that are refused come back later.
 * @module
 */
import { isLockWait } from "./server_errors.ts";
import { WriteStall } from "./write_stall.ts";

/** Connections that are left to reads. */
const RESERVE = 3;
/** How long after the last lock that was met rows are asked for first, in milliseconds. */
const WARY_MS = 10_000;

/** Lets so many writes through at a time, and fewer while rows are locked by other clients. */
export class WriteLanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  /** What the writes show, and what keeps them out. */
  readonly stall = new WriteStall();
  #waryUntil = 0;

  /** @param connections how many there are for data, reads included */
  constructor(connections: number) {
    this.#free = Math.max(1, connections - RESERVE);
  }

  /**
   * Carries out a write once there is a lane for it.
   * @param probe fails immediately where the write would have to wait for a row
   * @throws {StallError} while writes are known not to be answered
   */
  async run<T>(write: () => Promise<T>, probe?: () => Promise<unknown>): Promise<T> {
    this.stall.admit();
    await this.#enter();
    try {
      this.stall.admit();
      if (probe !== undefined && performance.now() < this.#waryUntil) await probe();
      return await write();
    } catch (error) {
      this.stall.failed(error);
      if (isLockWait(error)) this.#waryUntil = performance.now() + WARY_MS;
      throw error;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
