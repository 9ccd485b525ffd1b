/**
 * One thing at a time, in the order in which they came.
 * @module
 */
export class Mailbox {
  readonly #onEmpty: () => void;
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** @param onEmpty called whenever the last task is done */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** How many tasks are waiting or under way. */
  get size(): number {
    return this.#size;
  }

  /** Runs `task` after everything that came before it; a failure there does not concern it. */
  put<T>(task: () => Promise<T>): Promise<T> {
    this.#size++;
    const result = this.#last.then(task).finally(() => {
      if (--this.#size === 0) this.#onEmpty();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves once everything that is in the mailbox now is done. */
  async drained(): Promise<void> {
    await this.#last;
  }
}
