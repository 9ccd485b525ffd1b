/**
 * Environment → configuration → wiring → serving → signal → stop; nothing else.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "./config.ts";
import { DatabaseUnusableError, parseDatabaseUrl } from "./db/mod.ts";
import { StoreUnavailableError } from "./domain/ports.ts";
import { AddressUnusableError, listen, type Listener } from "./listener.ts";
import { createLog } from "./log.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { tidyHeap } from "./whatsapp/worker/heap.ts";
import type { Log } from "./whatsapp/log.ts";

/** How long a stop may take before the process ends regardless, in milliseconds. */
const STOP_MS = 10_000;

/**
 * How long answers may take to reach their callers once all are given, in milliseconds. A request that never arrives
 * whole, and an answer that nobody reads, are cut off then.
 */
const DRAIN_MS = 2_000;

/** How long after the start the heap is tidied, in milliseconds. */
const TIDY_MS = 1_000;

type Bounds = Pick<ServiceOptions, "storePausesMs" | "clock" | "replica" | "policy">;

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
async function start(config: Config, log: Log, bounds: Bounds): Promise<Service> {
  try {
    return await startService({ config, log, ...bounds });
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

/** Answers HTTP; ends the process with one sentence where its address is not to be had. */
async function answer(config: Config, log: Log, service: Service): Promise<Listener> {
  try {
    const listener = await listen(config, service.fetch);
    log.info({ event: "listening", host: listener.host, port: listener.port });
    return listener;
  } catch (error) {
    if (!(error instanceof AddressUnusableError)) throw error;
    console.error(
      `HOST ${config.host} with PORT ${config.port} is taken, or no address of this machine's; choose another.`,
    );
    await service.stop();
    Deno.exit(78);
  }
}

/**
 * The process, from its environment to its exit code.
 * @param bounds other than the product's own; for tests
 */
export async function main(bounds: Bounds = {}): Promise<void> {
  const config = readConfig();
  const log = createLog(config.logLevel);
  const service = await start(config, log, bounds);
  const listener = await answer(config, log, service);
  // Not before the first answers: whoever waits for the service has waited long enough.
  const tidying = setTimeout(tidyHeap, TIDY_MS);

  let stopping = false;
  const stop = async (signal: Deno.Signal) => {
    if (stopping) Deno.exit(130); // asked twice: at once
    stopping = true;
    clearTimeout(tidying);
    log.info({ event: "stopping", signal });
    Deno.unrefTimer(setTimeout(() => Deno.exit(1), STOP_MS));
    const drained = listener.shutdown().then(() => true);
    await service.stop();
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, DRAIN_MS, false));
    log.info({ event: "stopped", drained: await Promise.race([drained, late]) });
    Deno.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => stop(signal));
}

if (import.meta.main) await main();
