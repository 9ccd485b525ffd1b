/**
 * What a move leaves in the two databases, so that no service starts on the one that is half there, or on the one that
 * has been left: rows of the ledger of migrations, which an older version takes for migrations that it does not know,
 * and does not start either.
 * @module
 */
import { DatabaseUnusableError } from "../errors.ts";

/** A move's mark in a database. */
export type Mark =
  /** A move into it has begun. `origin` tells which database it comes from. */
  | { readonly kind: "here"; readonly origin: string }
  /** It was moved to this place. */
  | { readonly kind: "away"; readonly place: string };

const HERE = "moving_here:";
const AWAY = "moved_away:";
/** What the ledger takes, in ASCII. */
const LONGEST = 64;

/** A mark as a row of the ledger. */
export function nameOf(mark: Mark): string {
  const text = mark.kind === "here" ? HERE + mark.origin : AWAY + mark.place;
  return text.replaceAll(/[^ -~]/g, "?").slice(0, LONGEST);
}

/** The mark that this row of the ledger is; null for a migration. */
function markOf(name: string): Mark | null {
  if (name.startsWith(HERE)) return { kind: "here", origin: name.slice(HERE.length) };
  if (name.startsWith(AWAY)) return { kind: "away", place: name.slice(AWAY.length) };
  return null;
}

/** Tells migrations and marks apart. */
export function sortOut(names: readonly string[]): { migrations: string[]; marks: Mark[] } {
  return {
    migrations: names.filter((name) => markOf(name) === null),
    marks: names.flatMap((name) => markOf(name) ?? []),
  };
}

/**
 * Refuses a database that a move is not done with, or has left.
 * @throws {DatabaseUnusableError} with what to do
 */
export function refuseMarked(marks: readonly Mark[]): void {
  const [mark] = marks;
  switch (mark?.kind) {
    case undefined:
      return;
    case "here":
      throw new DatabaseUnusableError(
        "A move into this database has not come to its end: run the same `deno task move` again; the database that " +
          "it comes from still has everything.",
      );
    case "away":
      throw new DatabaseUnusableError(
        `This database was moved to ${mark.place}, or a move there has begun, and a service here would use the same ` +
          "logins as one there: set DATABASE_URL to that one. To go back, stop the service there and move it into a new database " +
          "(`deno task move -- --to …`), or use this one as it was when it was left: `deno task move -- --undo`.",
      );
    default:
      return mark satisfies never;
  }
}
