/**
 * Turns at so many places: who finds none free waits in line, and may leave it at any time.
 * @module
 */

/** One turn: waited for, had, over. */
export interface Turn {
  /** Resolves once it has come; never for one who has left. */
  readonly come: Promise<void>;
  /** Waits no longer. What has come stays until it is ended. */
  leave(): void;
  /** Makes room for the next, or leaves. Safe to call twice. */
  end(): void;
}

/** A semaphore: so many at a time, the others in line. */
export class Turns {
  #free: number;
  readonly #line = new Set<() => void>();

  constructor(places: number) {
    this.#free = places;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.size;
  }

  ask(): Turn {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#free > 0) {
      this.#free--;
      resolve();
    } else {
      this.#line.add(resolve);
    }
    let isOver = false;
    const leave = () => {
      if (this.#line.delete(resolve)) isOver = true;
    };
    const end = () => {
      leave();
      if (isOver) return;
      isOver = true;
      this.#next();
    };
    return { come: promise, leave, end };
  }

  #next(): void {
    const [next] = this.#line;
    if (next === undefined) return void this.#free++;
    this.#line.delete(next);
    next();
  }
}
