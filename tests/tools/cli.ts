/**
 * The tools of the database as an operator runs them: through their task's own command line.
 * @module
 */
import { type Environment, TestProcess } from "../../lab/process.ts";

/** Starts a tool with the permissions that its launcher gives it. */
export function tool(name: string, args: readonly string[], environment: Environment): TestProcess {
  const set = name === "move" ? "move" : "launcher";
  return TestProcess.script("tools/scoped.ts", [`-P=${set}`], environment, [name, ...args]);
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
