/**
 * The checks, one after the other, in a process with the service's own permissions; `tools/doctor.ts` starts it.
 * Nothing that stays is altered.
 * @module
 */
import { CONFIG_VARIABLES, parseConfig } from "../../config.ts";
import { parseDatabaseUrl } from "../../db/mod.ts";
import { checkAddress } from "./address.ts";
import { checkCallerKeys, checkConfiguration } from "./configuration.ts";
import { checkDatabase } from "./database.ts";
import { checkFolder } from "./folder.ts";
import { type Check, exitCode, fault, print } from "./report.ts";
import { checkWhatsapp } from "./whatsapp.ts";

const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
const cores = navigator.hardwareConcurrency;
const config = parseConfig(environment, cores);
const target = parseDatabaseUrl(config.databaseUrl);

/** A check that fails in a way of its own is a fault as well, and the others still run. */
async function guarded(name: string, check: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await check();
  } catch (error) {
    const what = error instanceof Error ? error.name : typeof error;
    return [fault(name, `The check itself failed (${what}).`, "Report it, with the versions in use.")];
  }
}

const checks: Check[] = [
  ...checkConfiguration(environment, cores),
  checkCallerKeys(config),
  ...await guarded("address", async () => [await checkAddress(config)]),
];
if (target.dialect === "sqlite" && target.path !== ":memory:") {
  checks.push(...await guarded("folder", () => Promise.resolve(checkFolder(target.path))));
}
checks.push(
  ...await guarded("database", () => checkDatabase(config, target)),
  ...await guarded("whatsapp", async () => [await checkWhatsapp(config.whatsappUrl)]),
);
print(checks, Deno.args.includes("--json"));
Deno.exit(exitCode(checks));
