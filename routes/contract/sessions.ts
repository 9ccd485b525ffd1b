/**
 * The Hub's endpoints: a session's state, and its QR.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2.
 * @module
 */
import type { QrView } from "@session-manager/contract";
import type { MaybePromise } from "../../sessions/ports/store.ts";
import { good } from "../document/description.ts";
import { json, type Reply } from "../pipeline/reply.ts";
import { type Resource, route } from "../pipeline/route.ts";
import type { Sessions } from "../ports.ts";
import { QrAnswer, SessionAnswer, SessionPath } from "./schemas.ts";

/** `/sessions/{instance_id}` and its QR. Both are polled: what is in memory is answered without a promise. */
export function sessionsResource(basePath: string, sessions: Pick<Sessions, "read" | "requestQr">): Resource {
  return {
    under: `${basePath}/sessions`,
    role: "hub",
    isApi: true,
    routes: [
      route({
        method: "GET",
        path: "/{instance_id}",
        role: "hub",
        limit: "read",
        isPolled: true,
        params: SessionPath,
        description: {
          operationId: "readSession",
          tag: "Sessions",
          summary: "The state of a session",
          description:
            "Tells the session as it is at this moment. Nothing is changed, and no session is created.",
          answers: { 200: good("The session as it is.", SessionAnswer) },
          faults: ["SESSION_NOT_FOUND"],
        },
        handle: ({ params }) => whenThere(sessions.read(params.instance_id), (session) => json(session)),
      }),
      route({
        method: "POST",
        path: "/{instance_id}/qr",
        role: "hub",
        limit: "qr",
        failure: "QR_GENERATION_FAILED",
        isPolled: true,
        params: SessionPath,
        description: {
          operationId: "requestQr",
          tag: "Sessions",
          summary: "A valid QR for a session, created where it does not exist",
          description:
            "Returns the valid QR of the session as it is, byte for byte, where there is one. Otherwise opens a connection to WhatsApp and waits for its first QR. Concurrent calls share one connection and get one QR. No body is needed; one that is sent is ignored.",
          answers: { 200: good("A QR that a phone can scan now.", QrAnswer) },
          faults: [
            "SESSION_ALREADY_CONNECTED",
            {
              code: "TOO_MANY_REQUESTS",
              when:
                "Too many requests, or a new pairing is needed and too many are open at the same time (MAX_PAIRINGS); try again later.",
            },
            {
              code: "QR_GENERATION_FAILED",
              when:
                "WhatsApp gave no QR in time or refused the pairing, or the session manager could not answer.",
            },
          ],
        },
        handle: ({ params }) => whenThere(sessions.requestQr(params.instance_id), qrReply),
      }),
    ],
  };
}

/** Makes something of a value as soon as it is there. */
function whenThere<T extends object>(value: MaybePromise<T>, reply: (made: T) => Reply): MaybePromise<Reply> {
  return value instanceof Promise ? value.then(reply) : reply(value);
}

const qrReplies = new WeakMap<QrView, Reply>();

/** The reply that shows a QR, made once: its 4 KB of JSON would take a sixth of the time of the whole request. */
function qrReply(qr: QrView): Reply {
  const made = qrReplies.get(qr);
  if (made !== undefined) return made;
  const reply = json(qr);
  qrReplies.set(qr, reply);
  return reply;
}
