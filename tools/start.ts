/**
 * `deno task start`: works out the permissions that the configuration asks for, and starts the service
 * with exactly these.
 * @module
 */
import { permissionFlags } from "../permissions.ts";
import { launch } from "./launch.ts";

/**
 * The command line that runs the service with its own permissions and no others. What it is made of has to be
 * cached already: a running service fetches no module, whatever asks for one.
 */
export function startCommand(root: string, flags: readonly string[]): string[] {
  return [
    "run",
    "--quiet",
    "--frozen",
    "--cached-only",
    `--config=${root}/deno.json`,
    ...flags,
    `${root}/main.ts`,
  ];
}

/** The command line that caches what the service and its workers are made of; quick when it is there already. */
export function cacheCommand(root: string): string[] {
  const entries = [`${root}/main.ts`, `${root}/whatsapp/worker/main.ts`];
  return ["cache", "--quiet", "--frozen", `--config=${root}/deno.json`, ...entries];
}

if (import.meta.main) {
  await launch(
    (config, root) => startCommand(root, permissionFlags(config, root)),
    (root) => cacheCommand(root),
  );
}
