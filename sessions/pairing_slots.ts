/**
 * How many pairings may be open at the same time in this process: each holds a socket for up to 160 s.
 *
 * Source: decisions, "The QR", `MAX_PAIRINGS`.
 * @module
 */

/** The right to one pairing socket. */
export interface PairingSlot {
  /** Makes room for another. Safe to call twice. */
  free(): void;
}

/** A count of open pairings with a limit. Source: decisions, "The QR", `MAX_PAIRINGS`. */
export class PairingSlots {
  readonly #limit: number;
  #taken = 0;

  /** @param limit at least 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** @returns null when all are taken */
  take(): PairingSlot | null {
    if (this.#taken >= this.#limit) return null;
    this.#taken++;
    let isFree = false;
    return {
      free: () => {
        if (isFree) return;
        isFree = true;
        this.#taken--;
      },
    };
  }
}
