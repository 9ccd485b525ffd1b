/**
 * Cores. Where the system can pin a process, what is measured and what measures it do not share one.
 * @module
 */

/** Who runs where: the server under test on one core, whatever loads it and answers it on the others. */
export type Place = "server" | "load" | "anywhere";

const CORES = navigator.hardwareConcurrency;

/** Whether `taskset` is there and there is more than one core to choose from. */
export const CAN_PIN = CORES > 1 && await isThere("taskset");

/** The command line that runs `command` in its place. It replaces itself by the command, whose id it keeps. */
export function pinned(place: Place, command: readonly string[]): string[] {
  return CAN_PIN ? ["taskset", "-c", coresOf(place), ...command] : [...command];
}

/** Puts this process in its place, and with it everything that it starts without a place of its own. */
export async function pinSelf(place: Place): Promise<void> {
  if (!CAN_PIN) return;
  const args = ["--all-tasks", "-p", "-c", coresOf(place), String(Deno.pid)];
  await new Deno.Command("taskset", { args, stdout: "null" }).output();
}

function coresOf(place: Place): string {
  switch (place) {
    case "server":
      return "0";
    case "load":
      return `1-${CORES - 1}`;
    case "anywhere":
      return `0-${CORES - 1}`;
    default:
      return place satisfies never;
  }
}

/** Whether this program can be run here. */
export async function isThere(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
