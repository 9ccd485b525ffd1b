/**
 * What the tools of the database share: the configuration, and one sentence and an exit code for whatever
 * stands in the way. The codes are those of `sysexits.h`.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "../config.ts";
import { asRefusal, DatabaseUnusableError, whyUnavailable } from "../db/mod.ts";
import { KeysDisagreeError } from "../domain/key_ring.ts";
import { StoreUnavailableError } from "../sessions/ports/store.ts";

/** Exit codes of the tools, those of `sysexits.h`. */
export const EXIT = {
  done: 0,
  /** The arguments make no sense. */
  usage: 64,
  /** Something is stored that cannot be used. */
  data: 65,
  /** The database cannot be reached, or somebody else has it to himself. */
  unavailable: 69,
  /** The configuration or the database does not fit. */
  config: 78,
  /** Stopped by a signal, and not done. */
  interrupted: 130,
} as const;

/** Runs a tool over the environment's configuration, and ends the process with the exit code it gives. */
export async function runTool(work: (config: Config) => Promise<number>): Promise<never> {
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  try {
    Deno.exit(await work(parseConfig(environment, navigator.hardwareConcurrency)));
  } catch (thrown) {
    const error = asRefusal(thrown);
    if (error instanceof StoreUnavailableError) {
      const why = whyUnavailable(error);
      console.error(
        `The database of DATABASE_URL ${
          why === null ? "cannot be reached or is locked" : `cannot be used for now, since ${why}`
        }; what was done stays done, and the same command goes on with the rest.`,
      );
      Deno.exit(EXIT.unavailable);
    }
    if (
      error instanceof ConfigError || error instanceof DatabaseUnusableError ||
      error instanceof KeysDisagreeError
    ) {
      console.error(error.message);
      Deno.exit(EXIT.config);
    }
    throw error;
  }
}
