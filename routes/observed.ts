/**
 * Every request, as it is answered: its id, a line in the log, a count and a time.
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Log } from "./ports.ts";

/** Told of each answer. `route` is the pattern, never the path, which names an instance. */
export interface RequestMeter {
  observe(request: { route: string; method: string; status: number; seconds: number }): void;
}

/** Methods that are told by their names. Callers make others up, and what is counted by name is kept for good. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** What a caller may choose as the id of its request. */
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** One answer. */
interface Answered {
  readonly requestId?: string;
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  readonly instanceId?: string;
  /** Whether it says anything that an operator would look for. */
  readonly isNews: boolean;
}

/** The caller's own id, where it is one. */
export function givenId(header: string | null | undefined): string | null {
  return header && REQUEST_ID.test(header) ? header : null;
}

/** Counts an answer and writes its line. */
export function tellOf(log: Log, meter: RequestMeter, answered: Answered): void {
  const { requestId, route, method, status, seconds, instanceId, isNews } = answered;
  meter.observe({ route, method, status, seconds });
  log[isNews ? "info" : "debug"]({
    event: "request",
    request_id: requestId,
    method,
    route,
    status,
    ms: Math.round(seconds * 1_000),
    instance_id: instanceId?.slice(0, 64),
  });
}

/** A Hub that polls would fill the log with good news. */
export function isNoNews(method: string, status: number): boolean {
  return method === "GET" && status < 400;
}

/** Names the request, and tells how it was answered. The caller's own `X-Request-Id` is kept. */
export function observed(log: Log, meter: RequestMeter): MiddlewareHandler {
  return async (c, next) => {
    const requestId = givenId(c.req.header("x-request-id")) ?? crypto.randomUUID();
    c.set("requestId", requestId);
    c.header("X-Request-Id", requestId);
    const startedAt = performance.now();
    await next();
    const { status } = c.res;
    const method = METHODS.has(c.req.method) ? c.req.method : "other";
    tellOf(log, meter, {
      requestId,
      route: status === 404 && c.error === undefined ? "none" : routePath(c, -1),
      method,
      status,
      seconds: (performance.now() - startedAt) / 1_000,
      instanceId: c.req.param("instance_id"),
      isNews: !isNoNews(method, status),
    });
  };
}
