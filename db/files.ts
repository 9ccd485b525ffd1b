/**
 * What is there on the disk.
 * @module
 */

/** What is at this path; null when nothing is. @throws {Error} when the path cannot be looked at */
export function statIfThere(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
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
