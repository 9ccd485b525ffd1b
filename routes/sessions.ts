/**
 * The Hub's endpoints: a session's state, and its QR.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2.
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { HUB_KEY } from "./auth.ts";
import { answers } from "./openapi.ts";
import type { Sessions } from "./ports.ts";
import { QrAnswer, SessionAnswer, SessionPath } from "./schemas.ts";

const readSession = createRoute({
  method: "get",
  path: "/sessions/{instance_id}",
  operationId: "readSession",
  summary: "The state of a session",
  security: HUB_KEY,
  request: { params: SessionPath },
  responses: answers(SessionAnswer, "The session as it is.", [400, 401, 404, 429, 500]),
});

const requestQr = createRoute({
  method: "post",
  path: "/sessions/{instance_id}/qr",
  operationId: "requestQr",
  summary: "A valid QR for a session, created where it does not exist",
  security: HUB_KEY,
  request: { params: SessionPath },
  responses: answers(QrAnswer, "A QR that a phone can scan now.", [400, 401, 409, 413, 429, 500]),
});

export function sessionRoutes(app: OpenAPIHono, sessions: Sessions): void {
  app.openapi(readSession, async (c) => {
    const { instance_id } = c.req.valid("param");
    return c.json(await sessions.read(instance_id), 200);
  });

  app.openapi(requestQr, async (c) => {
    const { instance_id } = c.req.valid("param");
    return c.json(await sessions.requestQr(instance_id), 200);
  });
}
