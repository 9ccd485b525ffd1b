/**
 * The claim on an embedded database: one process serves it. The system gives the claim up with the process, however
 * that ends.
 * @module
 */
import { folderOf, parseDatabaseUrl, type SqliteTarget } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";

/** What a process holds as long as it serves a file; disposing gives it up. */
export interface Claim extends Disposable {
  /** Says for all to read which keys this process can open what is sealed with, by their ids. */
  tellKeys(ids: readonly string[]): void;
}

/**
 * Claims the file for this process. Nothing is claimed in memory or on a server.
 * @throws {DatabaseUnusableError} when another process has it
 */
export function claimDatabase(url: string): Claim {
  const path = lockFileOf(url);
  if (path === null) return { tellKeys: () => {}, [Symbol.dispose]: () => {} };
  const file = openLockFile(path);
  if (file.tryLockSync(true)) {
    const claim: Claim = {
      tellKeys: (ids) => {
        try {
          file.truncateSync(0);
          file.seekSync(0, Deno.SeekMode.Start);
          file.writeSync(new TextEncoder().encode(ids.map((id) => `${id}\n`).join("")));
        } catch {
          // A full disk, say: then nothing is said of the keys, and nothing else is wrong yet.
        }
      },
      [Symbol.dispose]: () => file.close(),
    };
    claim.tellKeys([]); // what the last one has said is not true any more
    return claim;
  }
  file.close();
  const target = parseDatabaseUrl(url) as SqliteTarget;
  throw new DatabaseUnusableError(
    `The database file ${target.path} is served by another process; stop that one, or use MySQL, which several can share.`,
  );
}

/** The ids of the keys of the process that serves this file; null where none does, or it does not say. */
export function keysOfServer(url: string): ReadonlySet<string> | null {
  const path = lockFileOf(url);
  if (path === null) return null;
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  try {
    if (file.tryLockSync(false)) return null;
  } finally {
    file.close();
  }
  const ids = Deno.readTextFileSync(path).split("\n").filter((id) => id !== "");
  return ids.length === 0 ? null : new Set(ids);
}

/** Null for a database that nobody has to himself. */
function lockFileOf(url: string): string | null {
  const target = parseDatabaseUrl(url);
  return target.dialect !== "sqlite" || target.path === ":memory:" ? null : `${target.path}.lock`;
}

/**
 * The first of a database's files, so its folder may not be there yet. Made with the mode of the database, and
 * never removed: whoever removed it could let a second one in.
 */
function openLockFile(path: string): Deno.FsFile {
  try {
    Deno.mkdirSync(folderOf(path), { recursive: true, mode: 0o700 });
    return Deno.openSync(path, { write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new DatabaseUnusableError(`The file ${path} cannot be made.`, { cause: error });
  }
}
