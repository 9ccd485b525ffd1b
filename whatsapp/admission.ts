/**
 * Turns to log in. Logging in costs WhatsApp and this machine something, so only so many sessions do it
 * at the same time; the others wait in the order in which they came.
 * @module
 */

/** One session's place: waiting, or admitted until it is given up. */
export interface Turn {
  /** Leaves the queue, or makes room for the next. Safe to call twice. */
  giveUp(): void;
}

interface Place {
  readonly admit: () => void;
  state: "waiting" | "admitted" | "over";
}

export class Admission {
  readonly #limit: number;
  #queue: Place[] = [];
  #admitted = 0;

  /** @param limit how many sessions may log in at the same time; at least 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Asks for a turn; `admit` is called once it has come, never before this call has returned. */
  ask(admit: () => void): Turn {
    const place: Place = { admit, state: "waiting" };
    this.#queue.push(place);
    queueMicrotask(() => this.#advance());
    return { giveUp: () => this.#giveUp(place) };
  }

  #giveUp(place: Place): void {
    const was = place.state;
    place.state = "over";
    if (was === "waiting") this.#queue = this.#queue.filter((other) => other !== place);
    if (was === "admitted") {
      this.#admitted--;
      this.#advance();
    }
  }

  #advance(): void {
    while (this.#admitted < this.#limit) {
      const place = this.#queue.shift();
      if (place === undefined) return;
      place.state = "admitted";
      this.#admitted++;
      place.admit();
    }
  }
}
