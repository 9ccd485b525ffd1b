/**
 * Other programs, for tests that need them.
 * @module
 */
import assert from "node:assert/strict";

/** How a program ended, and what it printed. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  /** Both streams, one after the other. */
  readonly all: string;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), all: text(stdout) + text(stderr) };
}

/** Whether a program of this name is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await run("sh", ["-c", 'command -v "$0"', program])).code === 0;
}

/** Whether every program has to be there: `.ci/run` installs them all. */
export const PROGRAMS_REQUIRED = Deno.env.get("CI") === "true";

/**
 * Declares a test that needs a program. Where it is not installed the test is ignored, and its line says why; with
 * `CI=true` it fails.
 */
export async function programTest(program: string, name: string, body: () => Promise<void>): Promise<void> {
  const isThere = await isInstalled(program);
  const isIgnored = !isThere && !PROGRAMS_REQUIRED;
  Deno.test({
    name: isIgnored ? `${name} (skipped: no ${program} here)` : name,
    ignore: isIgnored,
    fn: async () => {
      assert.ok(isThere, `${program} is not installed`);
      await body();
    },
  });
}
