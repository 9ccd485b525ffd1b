/**
 * `deno task start`: works out the permissions that the configuration asks for, and starts the service
 * with exactly these. Signals are passed on; the service's exit code is this one's.
 * @module
 */
import { CONFIG_VARIABLES, ConfigError, parseConfig } from "../config.ts";
import { permissionFlags } from "../permissions.ts";

/** The command line that runs the service with its own permissions and no others. */
export function startCommand(root: string, flags: readonly string[]): string[] {
  return ["run", "--quiet", "--frozen", `--config=${root}/deno.json`, ...flags, `${root}/main.ts`];
}

async function start(): Promise<number> {
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const flags = permissionFlags(parseConfig(environment, navigator.hardwareConcurrency), root);
  const child = new Deno.Command(Deno.execPath(), { args: startCommand(root, flags), stdin: "null" }).spawn();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      // A terminal sends its Ctrl-C to both processes; passing it on would be the second one.
      if (signal === "SIGINT" && Deno.stdin.isTerminal()) return;
      try {
        child.kill(signal);
      } catch {
        // It has ended by itself in the meantime.
      }
    });
  }
  return (await child.status).code;
}

if (import.meta.main) {
  try {
    Deno.exit(await start());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    Deno.exit(78); // EX_CONFIG
  }
}
