/**
 * The Hub's endpoints: a session's state, and its QR.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2.
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { HUB_KEY } from "./auth.ts";
import { answers, tagged } from "./openapi.ts";
import type { Sessions } from "./ports.ts";
import { QrAnswer, SessionAnswer, SessionPath } from "./schemas.ts";

const readSession = createRoute({
  method: "get",
  path: "/sessions/{instance_id}",
  operationId: "readSession",
  ...tagged("Sessions"),
  summary: "The state of a session",
  description: "Tells the session as it is at this moment. Nothing is changed, and no session is created.",
  security: HUB_KEY,
  request: { params: SessionPath },
  responses: answers(SessionAnswer, "The session as it is.", [
    "INVALID_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "SESSION_NOT_FOUND",
    "TOO_MANY_REQUESTS",
    "SESSION_MANAGER_ERROR",
  ]),
});

const requestQr = createRoute({
  method: "post",
  path: "/sessions/{instance_id}/qr",
  operationId: "requestQr",
  ...tagged("Sessions"),
  summary: "A valid QR for a session, created where it does not exist",
  description:
    "Returns the valid QR of the session as it is, byte for byte, where there is one. Otherwise opens a connection to WhatsApp and waits for its first QR. Concurrent calls share one connection and get one QR. No body is needed; one that is sent is ignored.",
  security: HUB_KEY,
  request: { params: SessionPath },
  responses: answers(QrAnswer, "A QR that a phone can scan now.", [
    "INVALID_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "SESSION_ALREADY_CONNECTED",
    "PAYLOAD_TOO_LARGE",
    {
      code: "TOO_MANY_REQUESTS",
      when:
        "Too many requests, or a new pairing is needed and too many are open at the same time (MAX_PAIRINGS); try again later.",
    },
    {
      code: "QR_GENERATION_FAILED",
      when: "WhatsApp gave no QR in time or refused the pairing, or the session manager could not answer.",
    },
  ]),
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
