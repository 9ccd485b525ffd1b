/**
 * What trusted parts of the same system report.
 *
 * Source: `contrato-tecnico`, endpoints 3 and 4; decisions, "Internal events".
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { INTERNAL_KEY } from "./auth.ts";
import { answers, body, tagged } from "./openapi.ts";
import type { Sessions } from "./ports.ts";
import { ConnectedEvent, DisconnectedEvent, SessionAnswer } from "./schemas.ts";

const FAULTS = [
  "INVALID_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "SESSION_NOT_FOUND",
  "PAYLOAD_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "TOO_MANY_REQUESTS",
  "SESSION_MANAGER_ERROR",
] as const;

const connected = createRoute({
  method: "post",
  path: "/internal/events/connected",
  operationId: "reportConnected",
  ...tagged("Internal events"),
  summary: "A session is connected",
  description: "Makes the session connected. An event that repeats what is known changes nothing.",
  security: INTERNAL_KEY,
  request: body(ConnectedEvent, "The session, and the number that is linked to it."),
  responses: answers(SessionAnswer, "The session after the event.", FAULTS),
});

const disconnected = createRoute({
  method: "post",
  path: "/internal/events/disconnected",
  operationId: "reportDisconnected",
  ...tagged("Internal events"),
  summary: "A session is disconnected",
  description:
    "Makes the session disconnected. LOGOUT closes its connection and erases its login; after any other reason it comes back by itself where the login still works.",
  security: INTERNAL_KEY,
  request: body(DisconnectedEvent, "The session, and why it is no longer connected."),
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
