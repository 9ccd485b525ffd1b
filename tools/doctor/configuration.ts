/**
 * The configuration: every sentence that the service would stop with, not only the first, and the keys.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "../../config.ts";
import { DatabaseUnusableError, parseDatabaseUrl } from "../../db/mod.ts";
import { type Check, fault, ok, warning } from "./report.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NAME = "configuration";

/**
 * Checks the variables. A bad one is put aside and the rest looked at again, so that one run names them all.
 * @param cores how many the machine has
 */
export function checkConfiguration(environment: Environment, cores: number): Check[] {
  const rest = { ...environment };
  const sentences: string[] = [];
  for (;;) {
    const sentence = refusalOf(rest, cores);
    if (sentence === null) break;
    sentences.push(sentence);
    const culprit = CONFIG_VARIABLES.find((name) => sentence.startsWith(`${name} `));
    // A variable that is missing cannot be put aside; what else is wrong shows once it is there.
    if (culprit === undefined || !rest[culprit]) break;
    delete rest[culprit];
  }
  if (sentences.length > 0) return sentences.map((text) => fault(NAME, text, MEND));
  const given = CONFIG_VARIABLES.filter((name) => environment[name]?.trim()).length;
  return [ok(NAME, `${given} of ${CONFIG_VARIABLES.length} variables set, the others have their defaults.`)];
}

const MEND = "Set it as the README's table says, and start again.";

/** The sentence that the service would stop with; null when it would not. */
function refusalOf(environment: Environment, cores: number): string | null {
  try {
    parseDatabaseUrl(parseConfig(environment, cores).databaseUrl);
    return null;
  } catch (error) {
    if (error instanceof ConfigError || error instanceof DatabaseUnusableError) return error.message;
    throw error;
  }
}

/** The keys that callers present. Counts them and never shows one. */
export function checkCallerKeys({ host, hubKeys, internalKeys }: Config): Check {
  const name = "caller keys";
  const counts = `HUB_API_KEY: ${hubKeys.length}, INTERNAL_API_KEY: ${internalKeys.length}`;
  if (hubKeys.length === 0 || internalKeys.length === 0) {
    return warning(
      name,
      `${counts}; whoever runs a program on this machine may call ${host} without a key.`,
      "Set both before others share the machine.",
    );
  }
  if (hubKeys.some((key) => internalKeys.includes(key))) {
    return warning(
      name,
      `${counts}; a key is in both, so the Hub may report internal events.`,
      "Give each its own.",
    );
  }
  return ok(name, `${counts}.`);
}
