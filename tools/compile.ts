/**
 * `deno task compile`: one executable, `dist/session-manager`, with everything in it. Permissions are fixed when it
 * is made: they are those of the configuration that it is made with, and it serves no other address or database.
 * @module
 */
import type { Config } from "../config.ts";
import { permissionFlags } from "../permissions.ts";
import { launch } from "./launch.ts";

/**
 * What a package brings along and never runs, below the cache of packages. The compiler parses it all the same,
 * and the data of this one's benchmarks is nested so deeply that it overflows the compiler's stack.
 */
export const LEFT_OUT = ["bintrees/1.0.2/test"] as const;

/** Modules that are started by address and not imported: the compiler does not find them by itself. */
export const STARTED_BY_ADDRESS = ["whatsapp/worker/main.ts"] as const;

/**
 * The command line that makes the executable.
 * @param root the folder of the code, absolute
 * @param packages the folder of the registry's packages in the runtime's cache, absolute
 * @param output the file to make
 */
export function compileCommand(config: Config, root: string, packages: string, output: string): string[] {
  return [
    "compile",
    "--frozen",
    `--config=${root}/deno.json`,
    "--unstable-worker-options",
    // Of the packages, those that are imported, and not what the tests need.
    "--exclude-unused-npm",
    ...LEFT_OUT.map((path) => `--exclude=${packages}/${path}`),
    ...STARTED_BY_ADDRESS.map((path) => `--include=${root}/${path}`),
    ...permissionFlags(config, root),
    `--output=${output}`,
    `${root}/main.ts`,
  ];
}

/**
 * Where this runtime keeps the packages of the npm registry: a folder named after the registry in use.
 * @throws {Error} when nothing has been cached yet
 */
export async function packageFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
    const folder = `${npmCache}/${name}`;
    if (isDirectory && await isThere(`${folder}/${LEFT_OUT[0]}`)) return folder;
  }
  throw new Error("The packages are not cached yet: run `deno install --frozen` first.");
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

if (import.meta.main) {
  const packages = await packageFolder();
  await launch((config, root) => compileCommand(config, root, packages, `${root}/dist/session-manager`));
}
