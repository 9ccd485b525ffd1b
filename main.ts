/**
 * Environment → configuration → wiring → serving → signal → stop; nothing else.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "./config.ts";
import { DatabaseUnusableError, parseDatabaseUrl } from "./db/mod.ts";
import { StoreUnavailableError } from "./domain/ports.ts";
import { AddressUnusableError, listen, type Listener } from "./listener.ts";
import { createLog } from "./log.ts";
import { divertConsole } from "./observe/console.ts";
import { describeError } from "./observe/redact.ts";
import { end, output, say } from "./output.ts";
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

type Bounds = Pick<
  ServiceOptions,
  "storePausesMs" | "clock" | "replica" | "policy" | "workerScript" | "socketSettings" | "watch"
>;

async function readConfig(): Promise<Config> {
  const environment = Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, Deno.env.get(name)]));
  try {
    return parseConfig(environment, navigator.hardwareConcurrency);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    say(error.message);
    return await end(78); // EX_CONFIG
  }
}

/** Ends the process with one sentence where the database is at fault. */
async function start(config: Config, log: Log, bounds: Bounds): Promise<Service> {
  try {
    return await startService({ config, log, logOutput: output, ...bounds });
  } catch (error) {
    if (error instanceof StoreUnavailableError) {
      say(`The database of DATABASE_URL (${placeOf(config)}) cannot be reached; start it, or mend the URL.`);
      return await end(69); // EX_UNAVAILABLE
    }
    if (error instanceof DatabaseUnusableError) {
      say(error.message);
      return await end(78);
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
    say(
      `HOST ${config.host} with PORT ${config.port} is taken, or no address of this machine's; choose another.`,
    );
    await service.stop();
    return await end(78);
  }
}

/** Ends the process for what nobody caught, as the runtime would, but tells no secret of it. */
function failWith(log: Log): (thrown: unknown) => Promise<never> {
  return (thrown) => {
    log.error({ event: "process_failed", err: thrown });
    const { type, message, stack } = describeError(thrown);
    say([`The service failed: ${type}: ${message}`, ...(stack ? [stack] : [])].join("\n"));
    return end(1);
  };
}

/**
 * The process, from its environment to its exit code.
 * @param bounds other than the product's own; for tests
 */
export async function main(bounds: Bounds = {}): Promise<void> {
  const config = await readConfig();
  const log = createLog(config.logLevel, (line) => output.write(line));
  const fail = failWith(log);
  divertConsole(log);
  addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.error);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    fail(event.reason);
  });
  await run(config, log, bounds).catch(fail);
}

async function run(config: Config, log: Log, bounds: Bounds): Promise<void> {
  const service = await start(config, log, bounds);
  const listener = await answer(config, log, service);
  // Not before the first answers: whoever waits for the service has waited long enough.
  const tidying = setTimeout(tidyHeap, TIDY_MS);

  let stopping = false;
  const stop = async (signal: Deno.Signal) => {
    if (stopping) return await end(130); // asked twice: nothing else is waited for
    stopping = true;
    clearTimeout(tidying);
    log.info({ event: "stopping", signal });
    Deno.unrefTimer(setTimeout(() => end(1), STOP_MS));
    const drained = listener.shutdown().then(() => true);
    await service.stop();
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, DRAIN_MS, false));
    log.info({ event: "stopped", drained: await Promise.race([drained, late]) });
    await end(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => stop(signal));
}

if (import.meta.main) await main();
