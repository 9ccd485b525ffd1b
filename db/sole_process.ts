/**
 * The claim on an embedded database: one process serves it. The system gives the claim up with the process, however
 * that ends.
 * @module
 */
import { parseDatabaseUrl } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { folderOf } from "./key_file.ts";

/**
 * Claims the file for this process; disposing gives it up. Nothing is claimed in memory or on a server.
 * @throws {DatabaseUnusableError} when another process has it
 */
export function claimDatabase(url: string): Disposable {
  const target = parseDatabaseUrl(url);
  if (target.dialect !== "sqlite" || target.path === ":memory:") return { [Symbol.dispose]: () => {} };
  const file = openLockFile(`${target.path}.lock`);
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new DatabaseUnusableError(
    `The database file ${target.path} is served by another process; stop that one, or use MySQL, which several can share.`,
  );
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
