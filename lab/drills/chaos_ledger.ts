/**
 * What a run has seen: faults by kind, the longest lies, and everything that must not be.
 * @module
 */

/** A way in which HTTP and WhatsApp can disagree. */
export type LieKind =
  /** HTTP says `connected`, and no device is online. */
  | "connected"
  /** A device is online, and HTTP says something else. */
  | "absent"
  /** HTTP shows a QR that nobody can scan. */
  | "qr";

export const LIE_KINDS: readonly LieKind[] = ["connected", "absent", "qr"];

/** How many violations are kept in full. */
const KEPT = 40;

export class Ledger {
  /** How often each kind of fault was injected. */
  readonly injected = new Map<string, number>();
  /** The longest lie of each kind, by the fault before it, in milliseconds. */
  readonly lies = new Map<string, Record<LieKind, number>>();
  readonly violations: string[] = [];
  #violationCount = 0;
  /** Lies under way that have passed their bound, so that each is told once. */
  readonly #passed = new Set<string>();

  get violationCount(): number {
    return this.#violationCount;
  }

  inject(fault: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
  }

  violate(what: string): void {
    this.#violationCount++;
    if (this.violations.length < KEPT) this.violations.push(what);
  }

  /**
   * Notes a lie that has lasted this long so far.
   * @param since when it began; with the session, what makes it this lie
   * @param describe what to say when it has passed its bound
   */
  lie(
    { kind, fault, who, since, ms, boundMs }: {
      kind: LieKind;
      fault: string;
      who: string;
      since: number;
      ms: number;
      boundMs: number;
    },
    describe: () => string,
  ): void {
    const row = this.lies.get(fault) ?? { connected: 0, absent: 0, qr: 0 };
    row[kind] = Math.max(row[kind], ms);
    this.lies.set(fault, row);
    const name = `${kind} ${who} ${since}`;
    if (ms <= boundMs || this.#passed.has(name)) return;
    this.#passed.add(name);
    this.violate(
      `${who}: '${kind}' has been untrue for ${Math.round(ms)} ms, after ${fault}\n    ${describe()}`,
    );
  }

  longest(kind: LieKind): number {
    return Math.max(0, ...Array.from(this.lies.values(), (row) => row[kind]));
  }
}
