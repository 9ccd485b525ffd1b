/**
 * What trusted parts of the same system report, on the wire.
 *
 * Source: `contrato-tecnico`, endpoints 3 and 4; decisions, "Names and types".
 * @module
 */
import { z } from "@hono/zod-openapi";
import { DISCONNECT_REASONS, PHONE_NUMBER } from "@session-manager/contract";
import { InstanceId } from "../contract/schemas.ts";

const PHONE_NUMBER_SENTENCE = "phone_number has to be an E.164 number, such as +5491155550000.";
const REASON_SENTENCE = `reason has to be one of ${DISCONNECT_REASONS.join(", ")}.`;
const NO_OBJECT = { error: "The body has to be a JSON object." };

export const ConnectedEvent = z.object({
  instance_id: InstanceId,
  phone_number: z.string({ error: PHONE_NUMBER_SENTENCE }).regex(PHONE_NUMBER, {
    error: PHONE_NUMBER_SENTENCE,
  }).openapi({ description: "The number that is linked, in E.164.", example: "+5491155550000" }),
}, NO_OBJECT).openapi("ConnectedEvent", { description: "A session is connected." });

export const DisconnectedEvent = z.object({
  instance_id: InstanceId,
  reason: z.enum(DISCONNECT_REASONS, { error: REASON_SENTENCE }).openapi({
    description:
      "LOGOUT: the number was unlinked. NETWORK: the connection was refused, lost or closed. TIMEOUT: nothing was heard in time. UNKNOWN: anything else.",
    example: "NETWORK",
  }),
}, NO_OBJECT).openapi("DisconnectedEvent", { description: "A session is no longer connected, and why." });
