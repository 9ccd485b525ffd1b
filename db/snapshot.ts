/**
 * A consistent copy of an embedded database in one file, taken from a live one, or put in the place of one.
 * @module
 */
import { backup, DatabaseSync } from "node:sqlite";
import { folderOf, parseDatabaseUrl } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { judgeFault } from "./faults.ts";
import { isThere } from "./files.ts";
import { syncFolder } from "./key_file.ts";
import { CREDENTIALS, MIGRATIONS, SESSIONS } from "./schema.ts";
import { claimDatabase } from "./sole_process.ts";

/** What is in a copy. */
export interface SnapshotReport {
  readonly bytes: number;
  readonly sessions: number;
  /** Sessions that have a login in it. */
  readonly logins: number;
}

/** Every page in one step: who goes on writing then neither waits nor makes the copy begin anew. */
const ALL_PAGES = -1;

/** Nobody keeps a reader out for longer than it takes to open or close a database; in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/** What SQLite keeps beside a database, and would take for its own whatever file has that name. */
const COMPANIONS = ["-wal", "-shm", "-journal"];

/**
 * Copies the database at this address into a new file, mode 0600. The service may go on: what it had written when the
 * copy began is in it, and nothing of what it writes meanwhile.
 * @param file must not be there; it appears once it is whole, checked, and on the disk
 * @throws {DatabaseUnusableError} when the database is no file or no sound one, or the copy cannot be made
 */
export async function backUp(url: string, file: string): Promise<SnapshotReport> {
  const target = parseDatabaseUrl(url);
  if (target.dialect !== "sqlite" || target.path === ":memory:") {
    throw new DatabaseUnusableError(
      "DATABASE_URL names no SQLite file: a MySQL or MariaDB database is backed up by its own tool; " +
        "docs/backup.md says how.",
    );
  }
  return await copy(target.path, file);
}

/** What a restoration did. */
export interface RestorationReport extends SnapshotReport {
  /** Where the database is now that was there; null where none was. */
  readonly aside: string | null;
}

/**
 * Puts a copy in the place of a database that is not there, mode 0600. The copy stays as it is.
 * @param options.aside whether a database that is there is moved aside, once the copy has been found to be sound
 * @throws {DatabaseUnusableError} when a service runs on the place, or something is there, or the copy is no sound one
 */
export async function restore(
  url: string,
  file: string,
  { aside = false }: { readonly aside?: boolean } = {},
): Promise<RestorationReport> {
  const target = parseDatabaseUrl(url);
  if (target.dialect !== "sqlite" || target.path === ":memory:") {
    throw new DatabaseUnusableError(
      "DATABASE_URL names no SQLite file: a dump of a MySQL or MariaDB database is restored by its own client; " +
        "docs/backup.md says how.",
    );
  }
  // First of all: it makes the folder of the place.
  if (!isThere(file)) throw new DatabaseUnusableError(`There is no file ${file}.`);
  using _claim = claimDatabase(url);
  const { path } = target;
  const inTheWay = ["", ...COMPANIONS].map((ending) => path + ending).filter(isThere);
  if (inTheWay.length > 0 && !aside) {
    throw new DatabaseUnusableError(
      `Nothing is restored over what is there (${
        inTheWay.join(", ")
      }): with --aside it is moved aside first.`,
    );
  }
  let movedTo: string | null = null;
  const report = await copy(file, path, () => movedTo = moveAside(path));
  return { ...report, aside: movedTo };
}

/** The claim is ours. @returns where the database is then; null where there was none */
function moveAside(path: string): string | null {
  const there = ["", ...COMPANIONS].filter((ending) => isThere(path + ending));
  if (there.length === 0) return null;
  const aside = `${path}.aside-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  if (there.some((ending) => isThere(aside + ending))) throw alreadyThere(aside);
  try {
    // What its log holds is brought into it, so that it is one file.
    using database = new DatabaseSync(path);
    database.exec("pragma journal_mode = delete");
  } catch {
    // Perhaps that is why another is put in its place: it is kept as it is, in its pieces.
  }
  for (const ending of ["", ...COMPANIONS]) {
    if (isThere(path + ending)) Deno.renameSync(path + ending, aside + ending);
  }
  return aside;
}

/** By way of a draft, so that nobody ever takes half a copy for a whole one. */
async function copy(from: string, to: string, makeRoom?: () => void): Promise<SnapshotReport> {
  if (makeRoom === undefined && isThere(to)) throw alreadyThere(to);
  const draft = `${to}.${crypto.randomUUID()}`;
  try {
    await makeEmpty(draft);
    await copyPages(from, draft);
    const report = await check(draft);
    makeRoom?.();
    await publish(draft, to);
    return report;
  } finally {
    for (const ending of ["", ...COMPANIONS]) await Deno.remove(draft + ending).catch(() => {});
  }
}

async function makeEmpty(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).close();
  } catch (error) {
    throw new DatabaseUnusableError(`No file can be made in the folder ${folderOf(path)}.`, { cause: error });
  }
}

async function copyPages(from: string, to: string): Promise<void> {
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(from, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    // Read within one transaction, it is one moment of the database, whatever others commit.
    source.exec("begin");
    const ours = source.prepare("select count(*) as n from sqlite_schema where name in (?, ?)");
    if (Number(ours.get(SESSIONS, MIGRATIONS)?.n) < 2) {
      throw new DatabaseUnusableError(`The file ${from} holds no database of this service.`);
    }
    await backup(source, to, { rate: ALL_PAGES });
  } catch (error) {
    throw readingRefusal(error, from);
  } finally {
    source?.close();
  }
}

function readingRefusal(error: unknown, from: string): unknown {
  if (error instanceof DatabaseUnusableError) return error;
  switch (judgeFault(error)) {
    case "damaged":
      return new DatabaseUnusableError(`The file ${from} is damaged or is not a SQLite database.`, {
        cause: error,
      });
    case "unavailable":
      return new DatabaseUnusableError(
        `The file ${from} cannot be read, or there is no room for its copy.`,
        { cause: error },
      );
    default:
      return error;
  }
}

async function check(draft: string): Promise<SnapshotReport> {
  const database = new DatabaseSync(draft);
  try {
    // One file, without a log beside it, so that nothing can be forgotten.
    database.exec("pragma journal_mode = delete");
    const faults = database.prepare("pragma integrity_check(1)").all();
    if (faults[0]?.integrity_check !== "ok") {
      throw new DatabaseUnusableError("The database is damaged: a copy of it would be as well.");
    }
    const count = (statement: string) => Number(database.prepare(statement).get()?.n);
    const sessions = count(`select count(*) as n from ${SESSIONS}`);
    const logins = count(
      `select count(distinct instance_id) as n from ${CREDENTIALS} where kind = 'creds' and sealed is not null`,
    );
    return { bytes: (await Deno.stat(draft)).size, sessions, logins };
  } finally {
    database.close();
  }
}

/** A link fails where the name is taken. */
async function publish(draft: string, to: string): Promise<void> {
  {
    using file = await Deno.open(draft, { read: true, write: true });
    await file.sync();
  }
  try {
    await Deno.link(draft, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw alreadyThere(to);
    // A file system that knows no links: the name is taken first, and then given to the draft.
    await makeEmpty(to);
    await Deno.rename(draft, to);
  }
  await syncFolder(folderOf(to));
}

function alreadyThere(path: string): DatabaseUnusableError {
  return new DatabaseUnusableError(`The file ${path} is there already, and is left as it is; name another.`);
}
