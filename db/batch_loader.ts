/**
 * Reads that travel together: those that come while one is under way go with the next. Nobody waits for company;
 * where there is none, each travels alone and immediately. No read waits long behind one that is stuck.
 * @module
 */

/** Finds these; what there is not is absent. */
export type ReadMany<T> = (names: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** How many names travel in one read, and how many reads are under way. */
export interface BatchLoaderBounds {
  /** Names in one read at most. */
  readonly together: number;
  /** How long one that is under way is waited for before the next sets out all the same, in milliseconds. */
  readonly patienceMs: number;
  /** Reads under way at the same time at most, however late they are. */
  readonly underWay: number;
}

/** One name, and everybody who has asked for it since the last departure. */
type Wish<T> = PromiseWithResolvers<T | null>;

/** Makes one read of many: names that are asked for while a read is under way share the next one. */
export class BatchLoader<T> {
  readonly #read: ReadMany<T>;
  readonly #bounds: BatchLoaderBounds;
  readonly #waiting = new Map<string, Wish<T>>();
  #underWay = 0;
  #impatience: ReturnType<typeof setTimeout> | undefined;

  constructor(read: ReadMany<T>, bounds: BatchLoaderBounds) {
    this.#read = read;
    this.#bounds = bounds;
  }

  /**
   * What there is by this name, as it is now or later; null when there is nothing.
   * @throws what the read throws, and so does everybody who travelled with it
   */
  find(name: string): Promise<T | null> {
    let wish = this.#waiting.get(name);
    if (wish === undefined) this.#waiting.set(name, wish = Promise.withResolvers());
    this.#next();
    return wish.promise;
  }

  #next(): void {
    if (this.#waiting.size === 0) {
      clearTimeout(this.#impatience);
      this.#impatience = undefined;
    } else if (this.#underWay === 0) {
      this.#depart();
    } else {
      this.#impatience ??= setTimeout(() => {
        this.#impatience = undefined;
        if (this.#underWay < this.#bounds.underWay) this.#depart();
      }, this.#bounds.patienceMs);
    }
  }

  #depart(): void {
    const aboard = new Map<string, Wish<T>>();
    for (const [name, wish] of this.#waiting) {
      if (aboard.size >= this.#bounds.together) break;
      aboard.set(name, wish);
      this.#waiting.delete(name);
    }
    this.#underWay++;
    void this.#travel(aboard);
    this.#next();
  }

  async #travel(aboard: ReadonlyMap<string, Wish<T>>): Promise<void> {
    try {
      const found = await this.#read([...aboard.keys()]);
      for (const [name, { resolve }] of aboard) resolve(found.get(name) ?? null);
    } catch (error) {
      for (const { reject } of aboard.values()) reject(error);
    } finally {
      this.#underWay--;
      this.#next();
    }
  }
}
