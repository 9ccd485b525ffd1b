/**
 * `deno task rotate-credentials`: seals everything again with the newest of `CREDENTIALS_KEY`, so that the
 * older keys can be thrown away. Runs beside a service that has been started with the same `new,old`; with replicas
 * it is refused while one is present that lacks the newest.
 * @module
 */
import type { Config } from "../config.ts";
import {
  type CredentialKeys,
  parseCredentialKeys,
  rotateCredentials,
  type RotationReport,
} from "../db/mod.ts";
import { ConfigError } from "../config.ts";
import { EXIT, runTool } from "./database_tool.ts";

await runTool(async (config) => {
  if (Deno.args.some((argument) => argument !== "--")) {
    console.error("There are no arguments; the keys are read from CREDENTIALS_KEY.");
    return EXIT.usage;
  }
  const keys = keysOf(config);
  const signal = stopSignal();
  console.info("Sealing everything again with the newest key; Ctrl-C stops between two batches.");
  const report = await rotateCredentials({ url: config.databaseUrl, keys, signal });
  for (const line of describe(report)) console.info(line);
  if (!report.finished) return EXIT.interrupted;
  return report.unreadable > 0 ? EXIT.data : EXIT.done;
});

/** @throws {ConfigError} when there is no older key to replace */
function keysOf({ credentialsKey }: Config): CredentialKeys {
  if (credentialsKey === null || !credentialsKey.includes(",")) {
    throw new ConfigError(
      "CREDENTIALS_KEY has to hold the new key and after it, separated by a comma, those that it replaces.",
    );
  }
  return parseCredentialKeys(credentialsKey);
}

/** Aborts at the first signal; a second one ends the process immediately, which costs no more than a batch. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (controller.signal.aborted) Deno.exit(EXIT.interrupted);
      console.info("Stopping after this batch.");
      controller.abort();
    });
  }
  return controller.signal;
}

function describe({ resealed, unreadable, unreadableInstances, finished }: RotationReport): string[] {
  const lines = [`${rows(resealed)} sealed again with the newest key.`];
  if (unreadable > 0) {
    lines.push(
      `${rows(unreadable)} left as they are, since none of the keys opens them, of the instances ` +
        `${
          unreadableInstances.join(", ")
        }; add the key that sealed them to CREDENTIALS_KEY and run this again.`,
    );
  }
  if (!finished) lines.push("Stopped before the end; the same command goes on with the rest.");
  else if (unreadable === 0) lines.push("CREDENTIALS_KEY may hold the newest key alone from now on.");
  return lines;
}

function rows(count: number): string {
  return count === 1 ? "1 row" : `${count} rows`;
}
