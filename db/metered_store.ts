/**
 * The store, with a stopwatch and a trace on each operation.
 * @module
 */
import { SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import type {
  CredentialStore,
  MaybePromise,
  RetiredLoginStore,
  SessionStore,
} from "../sessions/ports/store.ts";
import type { Metrics } from "../runtime/metrics.ts";

type Operations = SessionStore & CredentialStore & RetiredLoginStore;

/** Each of them: one that were missing here would be missing from the metered store. */
const OPERATIONS = Object.keys(
  {
    find: true,
    outline: true,
    findOrCreate: true,
    listUnsettled: true,
    save: true,
    loadCredentials: true,
    loadKeys: true,
    saveKeys: true,
    dueRetiredLogins: true,
    findRetiredLogin: true,
    claimRetiredLogin: true,
    loadRetiredLogin: true,
    postponeRetiredLogin: true,
    forgetRetiredLogin: true,
    countRetiredLogins: true,
  } satisfies Record<keyof Operations, true>,
) as (keyof Operations)[];

type Operation = (...args: unknown[]) => MaybePromise<unknown>;

/** The same store; every operation is timed, and a span of the trace it belongs to. */
export function meterStore(store: Operations, metrics: Metrics): Operations {
  const tracer = trace.getTracer("session-manager");
  const metered = OPERATIONS.map((operation) => {
    const run = timed(operation, store[operation].bind(store) as Operation, metrics);
    return [operation, isTracing(tracer) ? traced(operation, run, tracer) : run];
  });
  return Object.fromEntries(metered);
}

/** Whether anybody collects spans: one that nobody collects is made all the same. */
function isTracing(tracer: Tracer): boolean {
  // Never ended, so that nobody is told of it.
  return tracer.startSpan("probe").isRecording();
}

function timed(
  operation: string,
  run: Operation,
  { databaseDuration, databaseErrors }: Pick<Metrics, "databaseDuration" | "databaseErrors">,
): Operation {
  const times = databaseDuration.of({ operation });
  databaseErrors.inc({ operation }, 0);
  return (...args) => {
    const since = performance.now();
    return watched(() => run(...args), (isFailure) => {
      times.observe((performance.now() - since) / 1_000);
      if (isFailure) databaseErrors.inc({ operation });
    });
  };
}

function traced(operation: string, run: Operation, tracer: Tracer): Operation {
  return (...args) =>
    tracer.startActiveSpan(`store ${operation}`, (span) =>
      watched(() => run(...args), (isFailure) => {
        if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }));
}

/** Does it, and says when it is over, be that now or later. */
function watched(
  work: () => MaybePromise<unknown>,
  end: (isFailure: boolean) => void,
): MaybePromise<unknown> {
  const failed = (error: unknown): never => {
    end(true);
    throw error;
  };
  const done = (value: unknown) => {
    end(false);
    return value;
  };
  let result: MaybePromise<unknown>;
  try {
    result = work();
  } catch (error) {
    return failed(error);
  }
  return result instanceof Promise ? result.then(done, failed) : done(result);
}
