/**
 * The store, with a stopwatch and a trace on each operation.
 * @module
 */
import { SpanStatusCode, trace } from "@opentelemetry/api";
import type { CredentialStore, SessionStore } from "../domain/ports.ts";
import type { Metrics } from "./metrics.ts";

type Operations = SessionStore & CredentialStore;

const OPERATIONS = [
  "find",
  "findOrCreate",
  "listUnsettled",
  "save",
  "loadCredentials",
  "loadKeys",
  "saveKeys",
] as const satisfies readonly (keyof Operations)[];

/** The same store; every operation is timed, and a span of the trace it belongs to. */
export function meterStore(store: Operations, { databaseDuration, databaseErrors }: Metrics): Operations {
  const tracer = trace.getTracer("session-manager");
  const metered = OPERATIONS.map((operation) => {
    const run = store[operation].bind(store) as (...args: unknown[]) => Promise<unknown>;
    const measured = (...args: unknown[]) =>
      tracer.startActiveSpan(`store ${operation}`, async (span) => {
        const stop = databaseDuration.startTimer({ operation });
        try {
          return await run(...args);
        } catch (error) {
          databaseErrors.inc({ operation });
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          stop();
          span.end();
        }
      });
    return [operation, measured];
  });
  return Object.fromEntries(metered);
}
