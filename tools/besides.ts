/**
 * What the arguments of a tool of the database name, beside the database of the configuration.
 * @module
 */
import { folderOfFile, type Places } from "../permissions.ts";

/**
 * The places that a tool needs besides; none where its arguments make no sense, which it says by itself.
 * @throws {ConfigError} when a path cannot be written as a flag
 */
export function placesBesides(tool: string, args: readonly string[]): Partial<Places> {
  switch (tool) {
    case "backup": {
      const file = fileIn(args);
      const folders = file === null ? [] : [folderOfFile(file)];
      return { read: folders, write: folders };
    }
    case "restore": {
      const file = fileIn(args, [ASIDE]);
      return { read: file === null ? [] : [folderOfFile(file)] };
    }
    default:
      return {};
  }
}

/** The option of `restore`. */
export const ASIDE = "--aside";

/**
 * The file that is the one argument beside the options; null where there is another number of them.
 * @param options that may be there
 */
export function fileIn(args: readonly string[], options: readonly string[] = []): string | null {
  const [file, ...others] = args.filter((argument) => argument !== "--" && !options.includes(argument));
  return file === undefined || file === "" || file.startsWith("-") || others.length > 0 ? null : file;
}
