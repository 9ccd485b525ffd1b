/**
 * What is there on the disk.
 * @module
 */
import { DatabaseUnusableError } from "./errors.ts";

/**
 * What is at this path; null when nothing is.
 * @throws {DatabaseUnusableError} when the path cannot be looked at: its folder is another user's, say, or no folder
 */
export function statIfThere(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new DatabaseUnusableError(
      `The path ${path} cannot be looked at; name another, or see to its folder.`,
      {
        cause: error,
      },
    );
  }
}

/** Whether anything is at this path. @throws as {@link statIfThere} */
export function isThere(path: string): boolean {
  return statIfThere(path) !== null;
}

/** Whether a file is at this path. @throws as {@link statIfThere} */
export function isFile(path: string): boolean {
  return statIfThere(path)?.isFile ?? false;
}
