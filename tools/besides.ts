/**
 * What the arguments of a tool of the database name, beside the database of the configuration.
 * @module
 */
import { ConfigError, parseConfig } from "../config.ts";
import { DatabaseUnusableError } from "../db/errors.ts";
import { type Besides, databaseNeeds, folderOfFile, type Places } from "../permissions.ts";

/** What a tool of the database is started with. */
export interface Asked {
  readonly args: readonly string[];
  /** The places that it needs besides; none where its arguments make no sense, which it says by itself. */
  readonly besides: Partial<Besides>;
  /** Variables beside those of the configuration. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Looks at the arguments of a tool.
 * @param moveTo what the environment says of where to move to
 * @throws {ConfigError} when a path cannot be written as a flag, or a URL is none
 * @throws {DatabaseUnusableError} when a URL names no database
 */
export function askedOf(tool: string, args: readonly string[], moveTo: string | undefined): Asked {
  const asked = { args, besides: {}, environment: {} };
  switch (tool) {
    case "backup": {
      const file = fileIn(args);
      const folders = file === null ? [] : [folderOfFile(file)];
      return { ...asked, besides: { read: folders, write: folders } };
    }
    case "restore": {
      const file = fileIn(args, [ASIDE]);
      return { ...asked, besides: { read: file === null ? [] : [folderOfFile(file)] } };
    }
    case "move": {
      // In the environment nobody else on the machine can read it.
      const named = moveArguments(args, moveTo);
      const url = named?.kind === "to" ? named.url : "";
      return {
        args: named?.kind === "undo" ? [UNDO] : [],
        besides: { env: [MOVE_TO], ...url === "" ? {} : targetNeeds(url) },
        environment: { [MOVE_TO]: url },
      };
    }
    default:
      return asked;
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

const UNDO = "--undo";

/** Holds the URL of `move` where it is not an argument, which others on the machine could read. */
export const MOVE_TO = "MOVE_TO";

/** What `move` is asked to do; null where its arguments make no sense. */
export type MoveArguments = { readonly kind: "to"; readonly url: string } | { readonly kind: "undo" };

/**
 * The arguments of `move`.
 * @param fallback the URL where none is among them
 */
export function moveArguments(args: readonly string[], fallback: string | undefined): MoveArguments | null {
  const [first, second, ...others] = args.filter((argument) => argument !== "--");
  const inOne = /^--to=(.+)$/s.exec(first ?? "")?.[1];
  if (first === UNDO) return second === undefined ? { kind: "undo" } : null;
  if (inOne !== undefined) return second === undefined ? { kind: "to", url: inOne } : null;
  if (first === "--to") return second && others.length === 0 ? { kind: "to", url: second } : null;
  return first === undefined && fallback ? { kind: "to", url: fallback } : null;
}

/** No key is asked for: it is that of the database that is moved. */
const ANY_KEY = `${"A".repeat(43)}=`;

/**
 * What reaching the database that `--to` names takes.
 * @throws {ConfigError} when it is no URL of a database; it names `--to` and does not repeat it
 */
function targetNeeds(url: string): Places {
  try {
    return databaseNeeds(parseConfig({ DATABASE_URL: url, CREDENTIALS_KEY: ANY_KEY }, 1));
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof DatabaseUnusableError)) throw error;
    throw new ConfigError(error.message.replaceAll("DATABASE_URL", "--to"));
  }
}
