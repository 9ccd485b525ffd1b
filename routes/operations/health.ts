/**
 * What an operator's machines ask: is the process alive, is it ready, how is it doing.
 * @module
 */
import { z } from "@hono/zod-openapi";
import { good } from "../document/description.ts";
import { content, json } from "../pipeline/reply.ts";
import { type Resource, route } from "../pipeline/route.ts";
import type { Operations } from "../ports.ts";

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

const Figures = z.string().openapi({
  description: "Prometheus's text format.",
  example: "session_manager_sockets 12\n",
});

/** `/healthz`, `/readyz` and `/metrics`. Only the last one asks for a key. */
export function healthResource(operations: Operations): Resource {
  return {
    under: "",
    role: "anyone",
    isApi: false,
    routes: [
      route({
        method: "GET",
        path: "/healthz",
        role: "anyone",
        description: {
          operationId: "isAlive",
          tag: "Operations",
          summary: "The process is alive",
          description: "Answers as long as the process does; neither database nor WhatsApp is asked.",
          answers: { 200: good("It answers.", Alive) },
        },
        handle: () => json({ status: "alive" }),
      }),
      route({
        method: "GET",
        path: "/readyz",
        role: "anyone",
        description: {
          operationId: "isReady",
          tag: "Operations",
          summary: "The service can do its work",
          description:
            "Asks whether the database answers and takes writes, and looks for a worker that can carry the next connection.",
          answers: {
            200: good("Database and workers are there.", Readiness),
            503: good("Something is missing, or the service is stopping.", Readiness),
          },
        },
        handle: async () => {
          const readiness = await operations.readiness();
          return json(readiness, readiness.status === "ready" ? 200 : 503);
        },
      }),
      route({
        method: "GET",
        path: "/metrics",
        role: "internal",
        description: {
          operationId: "readMetrics",
          tag: "Operations",
          summary: "Figures for Prometheus",
          description: "Everything that the service counts and measures. No label names an instance.",
          answers: { 200: good("Prometheus's text format.", Figures, "text/plain") },
        },
        handle: async () => content("text/plain; version=0.0.4; charset=utf-8", await operations.metrics()),
      }),
    ],
  };
}
