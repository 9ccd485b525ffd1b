/**
 * Traces from an HTTP request to the socket and the database. Without a collector (`OTEL_DENO` unset) every
 * call here does nothing.
 * @module
 */
import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";

const NAME = "session-manager";

/** Runs `work` as a span of the trace that is under way; it fails as `work` does. */
export function traced<T>(name: string, instanceId: string, work: () => Promise<T>): Promise<T> {
  return trace.getTracer(NAME).startActiveSpan(
    name,
    { attributes: { "session.instance_id": instanceId } },
    async (span) => {
      try {
        return await work();
      } catch (error) {
        // The error's own text stays out: it may quote what was being worked on.
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

/** A span for what a socket does until its first event; the caller ends it. */
export function startSocketSpan(purpose: string, instanceId: string): Span {
  return trace.getTracer(NAME).startSpan(`socket ${purpose}`, {
    attributes: { "session.instance_id": instanceId },
  });
}
