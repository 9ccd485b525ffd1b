/**
 * `deno task compile`: one executable, `dist/session-manager` or the file that is named, with everything in it.
 * Permissions are fixed when it is made: they are those of the configuration that it is made with, and it serves no
 * other address or database. It is started once, to see that it works.
 * @module
 */
import type { Config } from "../config.ts";
import { permissionFlags } from "../permissions.ts";
import { withConfiguration } from "./launch.ts";
import { tryOut } from "./try_out.ts";

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

/** What the compiler says when it has no runtime to put everything into. */
const NO_RUNTIME = /Could not find denort|Setting up base binary/;

/**
 * Runs the compiler: its exit code, and all that it said on standard error, which is shown as it comes.
 * @param args its command line
 */
async function compile(args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], stdin: "null", stderr: "piped" })
    .spawn();
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    said += decoder.decode(chunk, { stream: true });
    await Deno.stderr.write(chunk);
  }
  return { code: (await child.status).code, said };
}

/** Makes the executable and tries it out; the exit code. */
async function make(config: Config, root: string, output: string): Promise<number> {
  const { code, said } = await compile(compileCommand(config, root, await packageFolder(), output));
  if (code !== 0) {
    if (!NO_RUNTIME.test(said)) return code;
    console.error(
      `The runtime that goes into the executable, denort ${Deno.version.deno}, is missing: let this machine ` +
        "download it from Deno, or set DENORT_BIN to the path of a denort of that version.",
    );
    return 69; // EX_UNAVAILABLE
  }
  const { isSound, sentence } = await tryOut(output, config);
  console.error(sentence);
  return isSound ? 0 : 70; // EX_SOFTWARE
}

if (import.meta.main) {
  const [output, ...others] = Deno.args.filter((argument) => argument !== "--");
  if (others.length > 0) {
    console.error("The only argument is the file to make.");
    Deno.exit(64); // EX_USAGE
  }
  await withConfiguration((config, root) => make(config, root, output ?? `${root}/dist/session-manager`));
}
