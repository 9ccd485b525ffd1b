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

/** What a caller may choose as the id of its request. */
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Names the request, and tells how it was answered. The caller's own `X-Request-Id` is kept. */
export function observed(log: Log, meter: RequestMeter): MiddlewareHandler {
  return async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    c.header("X-Request-Id", requestId);
    const startedAt = performance.now();
    await next();
    const seconds = (performance.now() - startedAt) / 1_000;
    const { method } = c.req;
    const { status } = c.res;
    const route = status === 404 && c.error === undefined ? "none" : routePath(c, -1);
    meter.observe({ route, method, status, seconds });
    // A Hub that polls would fill the log with good news.
    const level = method === "GET" && status < 400 ? "debug" : "info";
    log[level]({
      event: "request",
      request_id: requestId,
      method,
      route,
      status,
      ms: Math.round(seconds * 1_000),
      ...instanceOf(c.req.param("instance_id")),
    });
  };
}

function instanceOf(instanceId: string | undefined): { instance_id?: string } {
  return instanceId === undefined ? {} : { instance_id: instanceId.slice(0, 64) };
}
