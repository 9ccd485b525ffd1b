/**
 * What the main process may do: exactly what its configuration asks for, as flags for `deno run`.
 * Another `PORT` or `DATABASE_URL` changes the flags by itself; nobody edits them by hand.
 * @module
 */
import { type Config, CONFIG_VARIABLES } from "./config.ts";
import { parseDatabaseUrl } from "./db/database_url.ts";
import { hostAndPort, WORKER_ENVIRONMENT, WORKER_SYSTEM } from "./whatsapp/wall.ts";

/**
 * The permission flags for `deno run main.ts`.
 *
 * - `net`: its own address, the database's, and WhatsApp's, which only the workers use: a worker cannot
 *   have what its parent lacks.
 * - `read`: the database's folder, and the worker's own source, which the runtime reads on its behalf.
 * - `write`: the database's folder.
 * - `env`, `sys`: the configuration's names, and the few that the libraries ask for.
 *
 * @param root the folder of the service's code, absolute
 */
export function permissionFlags(config: Config, root: string): string[] {
  const database = parseDatabaseUrl(config.databaseUrl);
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const net = [`${host}:${config.port}`, hostAndPort(config.whatsappUrl)];
  const read = [`${root}/whatsapp/worker`];
  const write: string[] = [];
  switch (database.dialect) {
    case "mysql":
      net.push(`${database.host}:${database.port}`);
      if (database.tlsAuthorities !== null) read.push(database.tlsAuthorities);
      break;
    case "sqlite":
      if (database.path !== ":memory:") {
        const folder = folderOf(database.path);
        read.push(folder);
        write.push(folder);
      }
      break;
    default:
      database satisfies never;
  }
  return [
    `--allow-net=${net.join(",")}`,
    `--allow-env=${[...CONFIG_VARIABLES, ...WORKER_ENVIRONMENT].join(",")}`,
    `--allow-sys=${WORKER_SYSTEM.join(",")}`,
    `--allow-read=${read.join(",")}`,
    ...(write.length > 0 ? [`--allow-write=${write.join(",")}`] : []),
    "--no-prompt",
  ];
}

/** The folder of a file's path. */
function folderOf(path: string): string {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? "." : path.slice(0, cut) || "/";
}
