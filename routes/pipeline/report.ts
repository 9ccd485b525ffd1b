/**
 * Every request, as it is answered: its id, a line in the log, a count and a time.
 * @module
 */
import type { Log } from "../ports.ts";

/** Told of each answer. `route` is the pattern, never the path, which names an instance. */
export interface RequestMeter {
  observe(request: { route: string; method: string; status: number; seconds: number }): void;
}

/** Methods that are told by their names. Callers make others up, and what is counted by name is kept for good. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** What a caller may choose as the id of its request. */
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** One answer. */
export interface Answered {
  readonly requestId: string | null;
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  readonly instanceId: string | undefined;
  /** True when it says anything that an operator would look for. */
  readonly isNews: boolean;
}

/** The method as it is counted and told. */
export function methodOf(method: string): string {
  return METHODS.has(method) ? method : "other";
}

/** The caller's own id, where it is one. */
export function givenId(header: string | null): string | null {
  return header !== null && REQUEST_ID.test(header) ? header : null;
}

/** Counts an answer and writes its line. */
export function report(log: Log, meter: RequestMeter, answered: Answered): void {
  const { requestId, route, method, status, seconds, instanceId, isNews } = answered;
  meter.observe({ route, method, status, seconds });
  log[isNews ? "info" : "debug"]({
    event: "request",
    request_id: requestId ?? undefined,
    method,
    route,
    status,
    ms: Math.round(seconds * 1_000),
    instance_id: instanceId?.slice(0, 64),
  });
}
