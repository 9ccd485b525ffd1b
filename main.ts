/**
 * Environment → configuration → wiring → serving → signal → stop; nothing else.
 * @module
 */
import { type Config, CONFIG_VARIABLES, ConfigError, parseConfig } from "./config.ts";
import {
  asRefusal,
  DatabaseUnusableError,
  isOutage,
  nodeName,
  parseDatabaseUrl,
  whyUnavailable,
} from "./db/mod.ts";
import { KeysDisagreeError } from "./domain/key_ring.ts";
import { FencedError } from "./sessions/ports/store.ts";
import { StoreUnavailableError } from "./sessions/ports/store.ts";
import { AddressUnusableError, listen, type Listener } from "./listener.ts";
import { createLog } from "./log.ts";
import { divertConsole } from "./runtime/console.ts";
import { describeError } from "./runtime/redact.ts";
import { end, output, say } from "./output.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { tidyHeap } from "./whatsapp/worker/heap.ts";
import type { Log } from "./runtime/log.ts";

/** How long a stop may take before the process ends regardless, in milliseconds. */
const STOP_MS = 10_000;

/**
 * How long answers may take to reach their callers once all are given, in milliseconds. A request that never arrives
 * whole, and an answer that nobody reads, are cut off then.
 */
const DRAIN_MS = 2_000;

/** How long after the start the heap is tidied, in milliseconds. */
const TIDY_MS = 1_000;

/** How often something failed that nobody was waiting for, and the process went on. */
interface Survivals {
  survived: number;
}

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
async function start(config: Config, log: Log, bounds: Bounds, survivals: Survivals): Promise<Service> {
  try {
    return await startService({ config, log, logOutput: output, survivals, ...bounds });
  } catch (thrown) {
    const error = asRefusal(thrown);
    if (error instanceof StoreUnavailableError) {
      const why = whyUnavailable(error);
      const place = `The database of DATABASE_URL (${placeOf(config)})`;
      say(
        why === null
          ? `${place} cannot be reached; start it, or mend the URL.`
          : `${place} cannot be used for now, since ${why}.`,
      );
      return await end(69); // EX_UNAVAILABLE
    }
    if (error instanceof DatabaseUnusableError || error instanceof KeysDisagreeError) {
      say(error.message);
      return await end(78);
    }
    throw error;
  }
}

/** Where the database is, without the password. */
function placeOf({ databaseUrl }: Config): string {
  const target = parseDatabaseUrl(databaseUrl);
  return target.dialect === "sqlite"
    ? target.path
    : `${target.nodes.map(nodeName).join(",")}/${target.database}`;
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
 * Whether the process can go on after this, though nobody was waiting for it: the database was away, or a session was
 * another replica's. Nothing was half done then but the one operation, which is atomic in the database. After anything
 * else nobody knows what is still true in memory, and a new process reads it from the database.
 */
function isSurvivable(thrown: unknown): boolean {
  return thrown instanceof StoreUnavailableError || thrown instanceof FencedError || isOutage(thrown);
}

/**
 * The process, from its environment to its exit code.
 * @param bounds other than the product's own; for tests
 */
export async function main(bounds: Bounds = {}): Promise<void> {
  const config = await readConfig();
  const log = createLog(config.logLevel, (line) => output.write(line));
  const fail = failWith(log);
  const survivals: Survivals = { survived: 0 };
  const judge = (thrown: unknown) => {
    if (!isSurvivable(thrown)) return void fail(thrown);
    survivals.survived++;
    log.error({ event: "failure_survived", err: thrown });
  };
  divertConsole(log);
  addEventListener("error", (event) => {
    event.preventDefault();
    judge(event.error);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    judge(event.reason);
  });
  await run(config, log, bounds, survivals).catch(fail);
}

async function run(config: Config, log: Log, bounds: Bounds, survivals: Survivals): Promise<void> {
  const service = await start(config, log, bounds, survivals);
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
