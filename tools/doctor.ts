/**
 * `deno task doctor`: is everything there that the service needs? With `--json` for machines. A configuration
 * that the service would refuse is all there is to say; otherwise the checks run in a process of their own, with
 * the service's own permissions.
 * @module
 */
import { type Config, CONFIG_VARIABLES } from "../config.ts";
import { permissionFlags } from "../permissions.ts";
import { checkConfiguration } from "./doctor/configuration.ts";
import { exitCode, print } from "./doctor/report.ts";
import { launch } from "./launch.ts";

/**
 * The command line that runs the checks: what the service may, and besides the question how much room its
 * folder has.
 */
function doctorCommand(config: Config, root: string, args: readonly string[]): string[] {
  return [
    "run",
    "--quiet",
    "--frozen",
    "--cached-only",
    `--config=${root}/deno.json`,
    ...permissionFlags(config, root),
    "--allow-sys=statfs",
    `${root}/tools/doctor/main.ts`,
    ...args,
  ];
}

if (import.meta.main) {
  const args = Deno.args.filter((argument) => argument !== "--");
  if (args.some((argument) => argument !== "--json")) {
    console.error("The only argument is --json.");
    Deno.exit(64); // EX_USAGE
  }
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  const checks = checkConfiguration(environment, navigator.hardwareConcurrency);
  if (exitCode(checks) !== 0) {
    print(checks, args.includes("--json"));
    Deno.exit(exitCode(checks));
  }
  await launch((config, root) => doctorCommand(config, root, args));
}
