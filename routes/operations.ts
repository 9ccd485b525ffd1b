/**
 * What an operator's machines ask: is the process alive, is it ready, how is it doing.
 * @module
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { INTERNAL_KEY } from "./auth.ts";
import { errors, good, json, tagged } from "./openapi.ts";
import type { Operations } from "./ports.ts";

const Alive = z.strictObject({
  status: z.literal("alive").openapi({ description: "Always the same.", example: "alive" }),
}).openapi("Alive", { description: "The process answers." });

const checkResult = (description: string) => z.enum(["ok", "failed"]).openapi({ description, example: "ok" });
const Readiness = z.strictObject({
  status: z.enum(["ready", "not_ready", "stopping"]).openapi({
    description:
      "ready: it can do its work. not_ready: something is missing. stopping: it has been told to end.",
    example: "ready",
  }),
  checks: z.strictObject({
    database: checkResult("The database can be reached and written."),
    workers: checkResult("There is a worker for the next connection to WhatsApp."),
  }).openapi({ description: "What the service needs, one by one." }),
}).openapi("Readiness", { description: "Whether the service can do its work now." });

/** No key is asked for, ever. */
const NO_KEY: Record<string, string[]>[] = [];
/** The guard of callers without a key holds where none is set. */
const NO_KEY_FAULTS = ["FORBIDDEN"] as const;

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "isAlive",
  ...tagged("Operations"),
  summary: "The process is alive",
  description: "Answers as long as the process does; neither database nor WhatsApp is asked.",
  security: NO_KEY,
  responses: { ...errors(NO_KEY_FAULTS), 200: good("It answers.", json(Alive)) },
});

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "isReady",
  ...tagged("Operations"),
  summary: "The service can do its work",
  description:
    "Asks whether the database answers and takes writes, and looks for a worker that can carry the next connection.",
  security: NO_KEY,
  responses: {
    ...errors(NO_KEY_FAULTS),
    200: good("Database and workers are there.", json(Readiness)),
    503: good("Something is missing, or the service is stopping.", json(Readiness)),
  },
});

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "readMetrics",
  ...tagged("Operations"),
  summary: "Figures for Prometheus",
  description: "Everything that the service counts and measures. No label names an instance.",
  security: INTERNAL_KEY,
  responses: {
    ...errors(["UNAUTHORIZED", "FORBIDDEN"]),
    200: good("Prometheus's text format.", {
      "text/plain": {
        schema: z.string().openapi({
          description: "Prometheus's text format.",
          example: "session_manager_sockets 12\n",
        }),
      },
    }),
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
