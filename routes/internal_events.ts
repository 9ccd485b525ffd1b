/**
 * What trusted parts of the same system report.
 *
 * Source: `contrato-tecnico`, endpoints 3 and 4; decisions, "Internal events".
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { INTERNAL_KEY } from "./auth.ts";
import { answers, body } from "./openapi.ts";
import type { Sessions } from "./ports.ts";
import { ConnectedEvent, DisconnectedEvent, SessionAnswer } from "./schemas.ts";

const FAULTS = [400, 401, 404, 413, 415, 429, 500] as const;

const connected = createRoute({
  method: "post",
  path: "/internal/events/connected",
  operationId: "reportConnected",
  summary: "A session is connected",
  security: INTERNAL_KEY,
  request: body(ConnectedEvent),
  responses: answers(SessionAnswer, "The session after the event.", FAULTS),
});

const disconnected = createRoute({
  method: "post",
  path: "/internal/events/disconnected",
  operationId: "reportDisconnected",
  summary: "A session is disconnected",
  security: INTERNAL_KEY,
  request: body(DisconnectedEvent),
  responses: answers(SessionAnswer, "The session after the event.", FAULTS),
});

export function internalEventRoutes(app: OpenAPIHono, sessions: Sessions): void {
  app.openapi(connected, async (c) => {
    const { instance_id, phone_number } = c.req.valid("json");
    return c.json(await sessions.reportConnected(instance_id, phone_number), 200);
  });

  app.openapi(disconnected, async (c) => {
    const { instance_id, reason } = c.req.valid("json");
    return c.json(await sessions.reportDisconnected(instance_id, reason), 200);
  });
}
