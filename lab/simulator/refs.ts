import { randomBytes } from "node:crypto";

/** How long refs are good for, as WhatsApp has it: the first longer than those after it. Milliseconds. */
export interface RefLife {
  readonly firstMs: number;
  readonly nextMs: number;
}

/** What became of a ref. */
export type RefState<Holder> = { state: "live"; holder: Holder } | {
  state: "expired" | "already_used" | "unknown_ref";
};

const REFS_PER_CONNECTION = 6;
const REF_BYTES = 24;
/** How many dead refs are remembered, to tell an expired QR from one that never was. */
const REMEMBERED = 60_000;

interface Entry<Holder> {
  readonly holder: Holder;
  readonly expiresAt: number;
}

/** The refs that are shown in QRs now, and for a while those that were. */
export class RefBook<Holder> {
  readonly #live = new Map<string, Entry<Holder>>();
  readonly #dead = new Map<string, "expired" | "already_used">();
  readonly #life: RefLife | undefined;
  readonly #now: () => number;

  /** @param life when given, a ref past its share of it is expired; otherwise a ref lives as long as its connection */
  constructor(life: RefLife | undefined, now: () => number) {
    this.#life = life;
    this.#now = now;
  }

  /** Makes six refs for one connection, in the order in which they will be shown. */
  issue(holder: Holder): string[] {
    const now = this.#now();
    const refs: string[] = [];
    for (let index = 0; index < REFS_PER_CONNECTION; index++) {
      const ref = `2@${randomBytes(REF_BYTES).toString("base64")}`;
      const expiresAt = this.#life ? now + this.#life.firstMs + index * this.#life.nextMs : Infinity;
      this.#live.set(ref, { holder, expiresAt });
      refs.push(ref);
    }
    return refs;
  }

  /** What a phone that scans this ref would find. */
  look(ref: string): RefState<Holder> {
    const entry = this.#live.get(ref);
    if (entry === undefined) return { state: this.#dead.get(ref) ?? "unknown_ref" };
    if (this.#now() >= entry.expiresAt) return { state: "expired" };
    return { state: "live", holder: entry.holder };
  }

  /** Ends a connection's refs: used by a scan, or expired with the connection. */
  retire(refs: readonly string[], as: "expired" | "already_used"): void {
    for (const ref of refs) {
      if (!this.#live.delete(ref)) continue;
      this.#dead.set(ref, as);
    }
    for (const oldest of this.#dead.keys()) {
      if (this.#dead.size <= REMEMBERED) break;
      this.#dead.delete(oldest);
    }
  }
}
