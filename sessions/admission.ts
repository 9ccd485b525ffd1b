/**
 * Turns to log in. Logging in costs WhatsApp and this machine something: only so many sessions do it at the
 * same time, and only so many attempts are made in a second, so that an outage does not end in a stampede.
 * The others wait in the order in which they came.
 * @module
 */
import type { Clock } from "../runtime/clock.ts";

/** One session's place: waiting, or admitted until it is given up. */
export interface Turn {
  /** Leaves the queue, or makes room for the next. Safe to call twice. */
  giveUp(): void;
}

/** The limits on logging in, and the clock that they are measured by. */
export interface AdmissionOptions {
  /** How many sessions may be logging in at the same time; at least 1. */
  readonly concurrent: number;
  /** How many attempts may be made in a second, over any second; at least 1. */
  readonly perSecond: number;
  readonly clock: Clock;
}

interface Place {
  readonly admit: () => void;
  state: "waiting" | "admitted" | "attempted" | "over";
}

const SECOND_MS = 1_000;

/** Hands out turns to log in, in the order in which they were asked for. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue = new Set<Place>();
  readonly #places = new WeakMap<Turn, Place>();
  /** When the attempts of the last second were made, by steady time, oldest first. */
  readonly #attempts: number[] = [];
  #admitted = 0;
  /** Those of the admitted whose attempt is still to come. */
  #pending = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Asks for a turn; `admit` is called once it has come, never before this call has returned. */
  ask(admit: () => void): Turn {
    const place: Place = { admit, state: "waiting" };
    this.#queue.add(place);
    queueMicrotask(() => this.#advance());
    const turn = { giveUp: () => this.#giveUp(place) };
    this.#places.set(turn, place);
    return turn;
  }

  /**
   * Counts an attempt, which is made now. Between a turn and its attempt lie a write and a read, which a busy
   * machine draws out: the second that counts is the one in which the attempt is made.
   * @param turn the turn that it was waited for; null where it could not wait, because a person stands before a
   *   QR or WhatsApp asked for it; those that can wait then wait the longer
   */
  count(turn: Turn | null = null): void {
    const place = turn === null ? undefined : this.#places.get(turn);
    if (place?.state === "admitted") {
      place.state = "attempted";
      this.#pending--;
    }
    this.#attempts.push(this.#options.clock.steady());
    this.#advance();
  }

  /** Cancels the timer; the next request for admission starts it again. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#queue.clear();
  }

  #giveUp(place: Place): void {
    const was = place.state;
    place.state = "over";
    this.#queue.delete(place);
    if (was === "waiting" || was === "over") return;
    this.#admitted--;
    if (was === "admitted") {
      // Its attempt was not made; it counts all the same, since it may have been about to be.
      this.#pending--;
      this.#attempts.push(this.#options.clock.steady());
    }
    this.#advance();
  }

  #advance(): void {
    for (const place of this.#queue) {
      if (this.#admitted >= this.#options.concurrent) return;
      const waitMs = this.#untilNextAttempt();
      if (waitMs === null) return; // until one of the pending attempts is made
      if (waitMs > 0) return this.#advanceIn(waitMs);
      this.#queue.delete(place);
      place.state = "admitted";
      this.#admitted++;
      this.#pending++;
      place.admit();
    }
  }

  #advanceIn(waitMs: number): void {
    this.#cancelTimer ??= this.#options.clock.after(waitMs, () => {
      this.#cancelTimer = null;
      this.#advance();
    });
  }

  /**
   * How long until one more attempt keeps within the limit, whenever the pending ones are made.
   * @returns milliseconds; null as long as those alone may fill the second
   */
  #untilNextAttempt(): number | null {
    const { perSecond, clock } = this.#options;
    const now = clock.steady();
    while (this.#attempts.length > 0 && now - (this.#attempts[0] ?? now) >= SECOND_MS) this.#attempts.shift();
    const left = perSecond - this.#pending;
    if (left <= 0) return null;
    const oldest = this.#attempts[this.#attempts.length - left];
    return oldest === undefined ? 0 : oldest + SECOND_MS - now;
  }
}
