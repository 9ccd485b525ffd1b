/**
 * What the main process may do: exactly what its configuration asks for, as flags for `deno run`.
 * Another `PORT` or `DATABASE_URL` changes the flags by itself; nobody edits them by hand.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError } from "./config.ts";
import { folderOf, parseDatabaseUrl } from "./db/database_url.ts";
import { hostAndPort, WORKER_ENVIRONMENT, WORKER_SYSTEM } from "./whatsapp/sandbox.ts";

/** By which a replica finds out that its machine has slept; it is one only with a database server. */
const REPLICA_SYSTEM = ["osUptime"] as const;

/**
 * The permission flags for `deno run main.ts`.
 *
 * - `net`: its own address, the database's, and WhatsApp's, which only the workers use: a worker cannot
 *   have what its parent lacks.
 * - `read`: the database's folder, and the worker's own source, which the runtime reads on its behalf.
 * - `write`: the database's folder.
 * - `env`: the configuration's names, and the few that the libraries ask for.
 * - `sys`: what the libraries ask for, and with a database server the machine's uptime.
 *
 * @param root the folder of the service's code, absolute
 * @throws {ConfigError} when a path cannot be written as a flag
 */
export function permissionFlags(config: Config, root: string): string[] {
  const database = databaseNeeds(config);
  const isReplica = parseDatabaseUrl(config.databaseUrl).dialect === "mysql";
  return flags({
    net: [place(config.host, config.port), hostAndPort(config.whatsappUrl), ...database.net],
    env: [...CONFIG_VARIABLES, ...WORKER_ENVIRONMENT],
    sys: isReplica ? [...WORKER_SYSTEM, ...REPLICA_SYSTEM] : WORKER_SYSTEM,
    read: [`${root}/whatsapp/worker`, ...database.read],
    write: database.write,
  });
}

/**
 * The permission flags for a tool that works on the database, and on nothing else but what is named besides.
 * @throws {ConfigError} when a path cannot be written as a flag
 */
export function databasePermissionFlags(config: Config, besides: Partial<Besides> = {}): string[] {
  const database = { ...databaseNeeds(config), env: CONFIG_VARIABLES };
  const both = (name: keyof Besides) => [...new Set([...database[name], ...besides[name] ?? []])];
  return flags({
    net: both("net"),
    env: both("env"),
    sys: [],
    read: both("read"),
    write: both("write"),
  });
}

/** Addresses and paths, as the flags write them. */
export type Places = Pick<Needs, "net" | "read" | "write">;

/** The same, and names of variables. */
export type Besides = Places & Pick<Needs, "env">;

interface Needs {
  readonly net: readonly string[];
  readonly env: readonly string[];
  readonly sys: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
}

function flags(needs: Needs): string[] {
  const given = (["net", "env", "sys", "read", "write"] as const).filter((name) => needs[name].length > 0);
  return [...given.map((name) => `--allow-${name}=${needs[name].join(",")}`), "--no-prompt"];
}

/** A host and its port, as the flags write them. */
function place(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * A server's address and the file of its authorities, or an embedded database's folder.
 * @throws {ConfigError} when a path cannot be written as a flag
 */
export function databaseNeeds(config: Pick<Config, "databaseUrl">): Places {
  const database = parseDatabaseUrl(config.databaseUrl);
  switch (database.dialect) {
    case "mysql": {
      const read = database.tlsAuthorities === null ? [] : [onePath(database.tlsAuthorities)];
      return { net: database.nodes.map(({ host, port }) => place(host, port)), read, write: [] };
    }
    case "sqlite": {
      const folders = database.path === ":memory:" ? [] : [onePath(folderOf(database.path))];
      return { net: [], read: folders, write: folders };
    }
    default:
      return database satisfies never;
  }
}

/**
 * A path that stays one path: a flag's list is separated by commas, and a comma in a path would open another.
 * @throws {ConfigError} when it has one
 */
function onePath(path: string): string {
  if (path.includes(",")) throw new ConfigError("DATABASE_URL has a comma in a path; choose a path without.");
  return path;
}

/**
 * The folder of a file that is named on a command line.
 * @throws {ConfigError} when it cannot be written as a flag
 */
export function folderOfFile(path: string): string {
  if (path.includes(",")) throw new ConfigError(`${path} has a comma in it; choose a path without.`);
  return folderOf(path);
}
