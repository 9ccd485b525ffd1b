/**
 * Reads that travel together: those that come while others are under way go with the next. Nobody waits for
 * company; where there is none, each travels alone and at once.
 * @module
 */

/** Finds these; what there is not is absent. */
export type ReadMany<T> = (names: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** One name, and everybody who has asked for it since the last departure. */
type Wish<T> = PromiseWithResolvers<T | null>;

export class Gathering<T> {
  readonly #read: ReadMany<T>;
  readonly #together: number;
  readonly #most: number;
  readonly #waiting = new Map<string, Wish<T>>();
  #underWay = 0;

  /**
   * @param bounds.together names in one read at most
   * @param bounds.underWay reads at the same time at most
   */
  constructor(read: ReadMany<T>, bounds: { readonly together: number; readonly underWay: number }) {
    this.#read = read;
    this.#together = bounds.together;
    this.#most = bounds.underWay;
  }

  /**
   * What there is by this name, as it is now or later; null when there is nothing.
   * @throws what the read throws, and so does everybody who travelled with it
   */
  find(name: string): Promise<T | null> {
    let wish = this.#waiting.get(name);
    if (wish === undefined) this.#waiting.set(name, wish = Promise.withResolvers());
    this.#depart();
    return wish.promise;
  }

  #depart(): void {
    if (this.#underWay >= this.#most || this.#waiting.size === 0) return;
    const aboard = new Map<string, Wish<T>>();
    for (const [name, wish] of this.#waiting) {
      if (aboard.size >= this.#together) break;
      aboard.set(name, wish);
      this.#waiting.delete(name);
    }
    this.#underWay++;
    void this.#travel(aboard);
  }

  async #travel(aboard: ReadonlyMap<string, Wish<T>>): Promise<void> {
    try {
      const found = await this.#read([...aboard.keys()]);
      for (const [name, { resolve }] of aboard) resolve(found.get(name) ?? null);
    } catch (error) {
      for (const { reject } of aboard.values()) reject(error);
    } finally {
      this.#underWay--;
      this.#depart();
    }
  }
}
