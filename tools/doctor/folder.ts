/**
 * The folder of an embedded database: can it be written, is there room, and who else may read what is in it.
 * @module
 */
import { statfsSync } from "node:fs";
import { folderOf } from "../../db/database_url.ts";
import { keyFilePath } from "../../db/mod.ts";
import { type Check, fault, ok, warning } from "./report.ts";

const MEBIBYTE = 2 ** 20;
/** A full disk stops every session; the journal alone may take some megabytes. */
const NEEDED_BYTES = 16 * MEBIBYTE;
const COMFORTABLE_BYTES = 256 * MEBIBYTE;

/** Checks the folder of this database file, with a file of its own that it removes. */
export function checkFolder(path: string): Check[] {
  const folder = folderOf(path);
  const written = tryToWrite(folder);
  if (written !== null) return [written];
  return [checkRoom(folder), ...checkModes(path)];
}

/** The fault that keeps the service from writing; null when it may, or would make the folder itself. */
function tryToWrite(folder: string): Check | null {
  const probe = `${folder}/.doctor-${crypto.randomUUID()}`;
  try {
    const made = makeFolder(folder);
    try {
      Deno.writeTextFileSync(probe, "x", { createNew: true, mode: 0o600 });
      Deno.removeSync(probe);
    } finally {
      if (made) Deno.removeSync(folder);
    }
    return made ? ok("folder", `${folder} does not exist yet; the service can make it.`) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return warning(
        "folder",
        `${folder} and the folder above it do not exist yet.`,
        "The service makes both if it may.",
      );
    }
    return fault(
      "folder",
      `${folder} cannot be written (${error instanceof Error ? error.name : "unknown"}).`,
      "Give it to the user that runs the service, or name another one in DATABASE_URL.",
    );
  }
}

/** Makes the folder where it is missing, so that it can be tried; not the ones above it. */
function makeFolder(folder: string): boolean {
  try {
    Deno.mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

function checkRoom(folder: string): Check {
  const { bavail, bsize } = statfsSync(folder);
  const free = Number(bavail) * Number(bsize);
  const saw = `${folder} can be written, ${Math.floor(free / MEBIBYTE)} MiB free.`;
  if (free < NEEDED_BYTES) return fault("folder", saw, "Make room; at least 256 MiB.");
  return free < COMFORTABLE_BYTES
    ? warning("folder", saw, "Make room; at least 256 MiB.")
    : ok("folder", saw);
}

/** Logins are sealed, and the key lies beside them: both are for the service's user alone. */
function checkModes(path: string): Check[] {
  const open = [path, keyFilePath(path)].filter((file) => {
    try {
      return ((Deno.statSync(file).mode ?? 0) & 0o077) !== 0;
    } catch {
      return false;
    }
  });
  if (open.length === 0) return [];
  return [warning("file modes", `Others may read ${open.join(" and ")}.`, "Set the mode to 0600.")];
}
