/**
 * Whether the database takes writes: asked of it cheaply, and told by the writes that the product makes anyway.
 *
 * A MySQL server that is read-only refuses an update of no row. An embedded database is written to: its version number,
 * as it is, which is one page in the journal and flushed; that shows a full disk, a file that has become read-only, and a
 * damaged one. What neither shows, a tablespace that cannot grow say, shows in what the product writes.
 * @module
 */
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { judgeRefusal, type WriteRefusal } from "./faults.ts";
import { REPLICAS } from "./schema.ts";
import type { WriteStall } from "./write_stall.ts";

/** How long what a write to an embedded database has shown is good for, in milliseconds. */
const GOOD_FOR_MS = 5_000;
/** How long a refusal counts that the check itself would not meet, in milliseconds. */
const REFUSED_FOR_MS = 30_000;

/** Knows whether the database takes writes. */
export class WriteCheck {
  readonly #database: Database;
  readonly #stall: Pick<WriteStall, "admit"> | undefined;
  readonly #now: () => number;
  #refusal: { readonly kind: WriteRefusal; readonly error: unknown; readonly at: number } | null = null;
  #writtenAt = -Infinity;
  #checking: Promise<void> | null = null;

  /**
   * @param stall whether writes are answered; undefined where they always are
   * @param now monotonic, in milliseconds
   */
  constructor(
    database: Database,
    stall?: Pick<WriteStall, "admit">,
    now: () => number = () => performance.now(),
  ) {
    this.#database = database;
    this.#stall = stall;
    this.#now = now;
  }

  /** A write of the product's has got through. */
  written(): void {
    this.#writtenAt = this.#now();
    // What is damaged elsewhere in the file stays so.
    if (this.#refusal?.kind === "full") this.#refusal = null;
  }

  /** Something that the product asked for has failed. */
  failed(error: unknown): void {
    const kind = judgeRefusal(error);
    if (kind === null) return;
    this.#refusal = { kind, error, at: this.#now() };
    this.#writtenAt = -Infinity;
  }

  /**
   * Concurrent checks are one.
   * @throws the database's error when it does not answer, or does not take a write
   */
  check(): Promise<void> {
    return this.#checking ??= this.#ask().finally(() => this.#checking = null);
  }

  async #ask(): Promise<void> {
    const { dialect, control } = this.#database;
    switch (dialect) {
      case "mysql":
        this.#stall?.admit();
        await sql`update ${sql.table(REPLICAS)} set expires_at = expires_at where 1 = 0`.execute(control);
        break;
      case "sqlite":
        // A probe every second must not wear the disk out.
        if (this.#now() - this.#writtenAt >= GOOD_FOR_MS) {
          await this.#rewriteVersion();
          this.written();
        }
        break;
      default:
        dialect satisfies never;
    }
    if (this.#refusal !== null && this.#now() - this.#refusal.at < REFUSED_FOR_MS) throw this.#refusal.error;
  }

  /** The number stays what it is: the file may be another program's as well. */
  #rewriteVersion(): Promise<void> {
    return this.#database.calls.transaction().execute(async (db) => {
      const { rows: [row] } = await sql<{ user_version: number }>`pragma user_version`.execute(db);
      await sql`pragma user_version = ${sql.raw(String(Number(row?.user_version)))}`.execute(db);
    });
  }
}
