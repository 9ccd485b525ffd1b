/**
 * What trusted parts of the same system report.
 *
 * Source: `contrato-tecnico`, endpoints 3 and 4; decisions, "Internal events".
 * @module
 */
import { SessionAnswer } from "../contract/schemas.ts";
import { good } from "../document/description.ts";
import { json } from "../pipeline/reply.ts";
import { type Resource, route } from "../pipeline/route.ts";
import type { Sessions } from "../ports.ts";
import { ConnectedEvent, DisconnectedEvent } from "./schemas.ts";

/** `/internal/events/connected` and `/internal/events/disconnected`. */
export function internalEventsResource(
  basePath: string,
  sessions: Pick<Sessions, "reportConnected" | "reportDisconnected">,
): Resource {
  return {
    under: `${basePath}/internal`,
    role: "internal",
    isApi: true,
    routes: [
      route({
        method: "POST",
        path: "/events/connected",
        role: "internal",
        body: ConnectedEvent,
        description: {
          operationId: "reportConnected",
          tag: "Internal events",
          summary: "A session is connected",
          description: "Makes the session connected. An event that repeats what is known changes nothing.",
          body: "The session, and the number that is linked to it.",
          answers: { 200: good("The session after the event.", SessionAnswer) },
          faults: ["SESSION_NOT_FOUND"],
        },
        handle: async ({ body }) => json(await sessions.reportConnected(body.instance_id, body.phone_number)),
      }),
      route({
        method: "POST",
        path: "/events/disconnected",
        role: "internal",
        body: DisconnectedEvent,
        description: {
          operationId: "reportDisconnected",
          tag: "Internal events",
          summary: "A session is disconnected",
          description:
            "Makes the session disconnected. LOGOUT closes its connection and erases its login; after any other reason it comes back by itself where the login still works.",
          body: "The session, and why it is no longer connected.",
          answers: { 200: good("The session after the event.", SessionAnswer) },
          faults: ["SESSION_NOT_FOUND"],
        },
        handle: async ({ body }) => json(await sessions.reportDisconnected(body.instance_id, body.reason)),
      }),
    ],
  };
}
