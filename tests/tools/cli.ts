/**
 * The tools of the database as an operator runs them: through their task's own command line.
 * @module
 */
import { CONFIG_VARIABLES } from "../../config.ts";
import { MOVE_TO } from "../../tools/besides.ts";
import { type Environment, TestProcess } from "../../lab/process.ts";

/** Starts a tool with the permissions that its launcher gives it. */
export function tool(name: string, args: readonly string[], environment: Environment): TestProcess {
  const names = name === "move" ? [...CONFIG_VARIABLES, MOVE_TO] : CONFIG_VARIABLES;
  const flags = [`--allow-env=${names.join(",")}`, "--allow-run"];
  return TestProcess.script("tools/scoped.ts", flags, environment, [name, ...args]);
}

/** Runs a tool to its end: the exit code, and what it printed. */
export async function runTool(
  name: string,
  args: readonly string[],
  environment: Environment,
): Promise<{ code: number; lines: readonly string[]; stderr: string }> {
  await using process = tool(name, args, environment);
  const code = await process.exit();
  return { code, lines: process.lines, stderr: process.stderr };
}
