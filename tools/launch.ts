/**
 * Starts another `deno` with the permissions that the configuration asks for and no others.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "../config.ts";
import { DatabaseUnusableError } from "../db/errors.ts";

/**
 * Runs `deno` with the arguments that follow from the configuration, and ends with its exit code. Signals are
 * passed on. A configuration that makes no sense is one sentence and 78.
 * @param argumentsFor given the configuration and the folder of the code, absolute
 * @param prepareFor the arguments of what has to succeed before
 */
export async function launch(
  argumentsFor: (config: Config, root: string) => string[],
  prepareFor?: (root: string) => string[],
): Promise<never> {
  return await withConfiguration(async (config, root) => {
    const args = argumentsFor(config, root);
    const prepared = prepareFor === undefined ? 0 : await run(prepareFor(root));
    return prepared || await run(args);
  });
}

/**
 * Does something with the environment's configuration, and ends with the exit code that it gives. A configuration
 * that makes no sense is one sentence and 78.
 * @param work given the configuration and the folder of the code, absolute
 */
export async function withConfiguration(
  work: (config: Config, root: string) => Promise<number>,
): Promise<never> {
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  try {
    Deno.exit(await work(parseConfig(environment, navigator.hardwareConcurrency), root));
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof DatabaseUnusableError)) throw error;
    console.error(error.message);
    Deno.exit(78); // EX_CONFIG
  }
}

async function run(args: string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn();
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
