/**
 * Environment → configuration → wiring → serving → signal → stop; nothing else.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "./config.ts";
import { DatabaseUnusableError, parseDatabaseUrl } from "./db/mod.ts";
import { StoreUnavailableError } from "./domain/ports.ts";
import { createLog } from "./log.ts";
import { type Service, startService } from "./service.ts";
import type { Log } from "./whatsapp/log.ts";

/** How long a stop may take before the process ends regardless, in milliseconds. */
const STOP_MS = 10_000;

function readConfig(): Config {
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  try {
    return parseConfig(environment, navigator.hardwareConcurrency);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    Deno.exit(78); // EX_CONFIG
  }
}

/** Ends the process with one sentence where the database is at fault. */
async function start(config: Config, log: Log): Promise<Service> {
  try {
    return await startService({ config, log });
  } catch (error) {
    if (error instanceof StoreUnavailableError) {
      console.error(
        `The database of DATABASE_URL (${placeOf(config)}) cannot be reached; start it, or mend the URL.`,
      );
      Deno.exit(69); // EX_UNAVAILABLE
    }
    if (error instanceof DatabaseUnusableError) {
      console.error(error.message);
      Deno.exit(78);
    }
    throw error;
  }
}

/** Where the database is, without the password. */
function placeOf({ databaseUrl }: Config): string {
  const target = parseDatabaseUrl(databaseUrl);
  return target.dialect === "sqlite" ? target.path : `${target.host}:${target.port}/${target.database}`;
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLog(config.logLevel);
  const service = await start(config, log);
  const server = Deno.serve({
    hostname: config.host,
    port: config.port,
    onListen: ({ hostname, port }) => log.info({ event: "listening", host: hostname, port }),
  }, service.fetch);

  let stopping = false;
  const stop = async (signal: Deno.Signal) => {
    if (stopping) Deno.exit(130); // asked twice: at once
    stopping = true;
    log.info({ event: "stopping", signal });
    Deno.unrefTimer(setTimeout(() => Deno.exit(1), STOP_MS));
    const drained = server.shutdown();
    await service.stop();
    await drained;
    log.info({ event: "stopped" });
    Deno.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => stop(signal));
}

if (import.meta.main) await main();
