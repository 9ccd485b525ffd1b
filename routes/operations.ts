/**
 * What an operator's machines ask: is the process alive, is it ready, how is it doing.
 * @module
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { INTERNAL_KEY } from "./auth.ts";
import type { Operations } from "./ports.ts";
import { ErrorAnswer } from "./schemas.ts";

const Alive = z.strictObject({ status: z.literal("alive") }).openapi("Alive");

const CheckResult = z.enum(["ok", "failed"]);
const Readiness = z.strictObject({
  status: z.enum(["ready", "not_ready", "stopping"]),
  checks: z.strictObject({ database: CheckResult, workers: CheckResult }),
}).openapi("Readiness");

const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "isAlive",
  summary: "The process is alive",
  responses: { 200: { description: "It answers.", content: json(Alive) } },
});

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "isReady",
  summary: "The service can do its work",
  responses: {
    200: { description: "Database and workers are there.", content: json(Readiness) },
    503: { description: "Something is missing, or the service is stopping.", content: json(Readiness) },
  },
});

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "readMetrics",
  summary: "Figures for Prometheus",
  security: INTERNAL_KEY,
  responses: {
    200: { description: "Prometheus's text format.", content: { "text/plain": { schema: z.string() } } },
    401: { description: "UNAUTHORIZED.", content: json(ErrorAnswer) },
  },
});

export function operationRoutes(app: OpenAPIHono, operations: Operations): void {
  app.openapi(healthz, (c) => c.json({ status: "alive" as const }, 200));

  app.openapi(readyz, async (c) => {
    const readiness = await operations.readiness();
    return c.json(readiness, readiness.status === "ready" ? 200 : 503);
  });

  app.openapi(metrics, async (c) => {
    return c.text(await operations.metrics(), 200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });
}
