/**
 * The key of an embedded database: made once, kept beside the file, readable by its owner alone.
 *
 * Source: decisions, "Configuration", `CREDENTIALS_KEY`.
 * @module
 */
import { folderOf } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { type CredentialKeys, generateCredentialKey, parseCredentialKeys } from "./sealing.ts";

/** 44 characters of base64 and a line feed, so that an operator can copy the line into the environment. */
const FILE_BYTES = 45;

/** Where the key of this database file is kept. */
export function keyFilePath(databasePath: string): string {
  return `${databasePath}.key`;
}

/**
 * The key beside this database file, made when there is none. Any number of starters agree on one.
 * @param databasePath the SQLite file; its folder exists or is made
 * @throws {DatabaseUnusableError} when the file does not hold a key, or can be neither read nor made
 */
export async function loadOrCreateKeyFile(databasePath: string): Promise<CredentialKeys> {
  const path = keyFilePath(databasePath);
  return parse(path, await readOrCreate(path));
}

async function readOrCreate(path: string): Promise<string> {
  try {
    const text = await readIfThere(path);
    if (text !== null) return text;
    const folder = folderOf(path);
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await create(path, folder);
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new DatabaseUnusableError(`The key file ${path} can be neither read nor made.`, { cause: error });
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * A whole file under a name of its own, then a link to the real name: `link` fails when the name is
 * taken, so nobody ever reads half a key and the first of two starters wins.
 */
async function create(path: string, folder: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    const file = await Deno.open(draft, { write: true, createNew: true, mode: 0o600 });
    try {
      await writeAll(file, new TextEncoder().encode(`${generateCredentialKey()}\n`));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.link(draft, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
  await syncFolder(folder);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

/** A new name outlives a power cut only once its folder has reached the disk. */
export async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  using handle = await Deno.open(folder, { read: true });
  await handle.sync();
}

function parse(path: string, text: string): CredentialKeys {
  if (text.length === FILE_BYTES && text.endsWith("\n")) {
    try {
      return parseCredentialKeys(text.trimEnd());
    } catch {
      // Falls through: the sentence below names the file, which the parser does not know.
    }
  }
  throw new DatabaseUnusableError(
    `The key file ${path} does not hold one 32-byte key in base64; restore it from a backup.`,
  );
}
