/**
 * What runs of the chaos have come to, a line a run, so that many seeds can be run in pieces.
 * @module
 */
import type { ChaosOptions, ChaosResult } from "./chaos_run.ts";

/** One run, as it is kept. */
interface Kept {
  readonly dialect: string;
  readonly seed: number;
  readonly sessions: number;
  readonly seconds: number;
  readonly faults: number;
  readonly logins: number;
  readonly overlaps: number;
  readonly violations: readonly string[];
}

export class ChaosRecord {
  readonly #path: string | null;
  readonly #kept: Kept[];

  private constructor(path: string | null, kept: Kept[]) {
    this.#path = path;
    this.#kept = kept;
  }

  /**
   * @param path null where nothing is to be kept; a file that is not there yet is made
   * @throws {SyntaxError} when the file holds something else
   */
  static async open(path: string | null): Promise<ChaosRecord> {
    if (path === null) return new ChaosRecord(null, []);
    const text = await Deno.readTextFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    });
    return new ChaosRecord(path, text.split("\n").filter(Boolean).map((line) => JSON.parse(line)));
  }

  /** Whether this very run has been made. */
  has({ dialect, seed, sessions, seconds }: ChaosOptions): boolean {
    return this.#kept.some((run) =>
      run.dialect === dialect && run.seed === seed && run.sessions === sessions && run.seconds === seconds
    );
  }

  async add({ options, ledger, logins, overlaps }: ChaosResult): Promise<void> {
    const { dialect, seed, sessions, seconds } = options;
    const faults = [...ledger.injected.values()].reduce((sum, count) => sum + count, 0);
    const violations = [...ledger.violations];
    const run: Kept = { dialect, seed, sessions, seconds, faults, logins, overlaps, violations };
    this.#kept.push(run);
    if (this.#path === null) return;
    await Deno.writeTextFile(this.#path, `${JSON.stringify(run)}\n`, { append: true });
  }

  get isGood(): boolean {
    return this.#kept.every(({ overlaps, violations }) => overlaps === 0 && violations.length === 0);
  }

  /** All runs, added up, a line a database. */
  summary(): string {
    return [...Map.groupBy(this.#kept, ({ dialect }) => dialect)].map(([dialect, runs]) => {
      const sum = (of: (run: Kept) => number) => runs.reduce((total, run) => total + of(run), 0);
      const bad = runs.filter(({ overlaps, violations }) => overlaps > 0 || violations.length > 0);
      return `${dialect}: ${runs.length} seeds, ${sum(({ faults }) => faults)} faults, ` +
        `${sum(({ logins }) => logins)} logins, ${sum(({ overlaps }) => overlaps)} overlaps, ` +
        `${sum(({ violations }) => violations.length)} violations` +
        (bad.length === 0 ? "" : ` (seeds ${bad.map(({ seed }) => seed).join(", ")})`);
    }).join("\n");
  }
}
