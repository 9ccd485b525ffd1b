/**
 * What goes over the wire, once: the schemas that validate are the ones that document.
 *
 * Source: `contrato-tecnico`, the four endpoints; decisions, "Names and types", "Endpoints".
 * @module
 */
import { z } from "@hono/zod-openapi";
import { type ErrorCode, ERRORS } from "@session-manager/contract";
import {
  DISCONNECT_REASONS,
  INSTANCE_ID,
  PHONE_NUMBER,
  QR_STATUSES,
  SESSION_STATUSES,
} from "@session-manager/contract";

const INSTANCE_ID_SENTENCE =
  "instance_id has to be 1 to 64 letters, digits, '_', '.', ':' or '-', the first a letter or a digit.";
const PHONE_NUMBER_SENTENCE = "phone_number has to be an E.164 number, such as +5491155550000.";
const REASON_SENTENCE = `reason has to be one of ${DISCONNECT_REASONS.join(", ")}.`;

const InstanceId = z.string({ error: INSTANCE_ID_SENTENCE }).regex(INSTANCE_ID, {
  error: INSTANCE_ID_SENTENCE,
}).openapi({
  description: "The name of the session, chosen by the Central Hub.",
  example: "sender_51",
  param: { description: "The name of the session." },
});

const WireInstant = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/).openapi({
  format: "date-time",
  description: "The instant from which on the QR is no longer valid: ISO 8601, UTC, whole seconds.",
  example: "2026-01-04T12:34:56Z",
});

const QrString = z.string().regex(/^data:image\/png;base64,/).openapi({
  description: "A PNG that a phone can scan, as a data URL.",
  example: "data:image/png;base64,iVBORw0KGgo…",
});

/** The path of both Hub endpoints. */
export const SessionPath = z.object({ instance_id: InstanceId });

/** The answer of GET and of both internal events: exactly these five fields. */
export const SessionAnswer = z.strictObject({
  instance_id: InstanceId,
  status: z.enum(SESSION_STATUSES).openapi({
    description:
      "init: created, no QR yet. qr_required: waits for a scan. connecting: scanned, or coming back. connected: linked and logged in. disconnected: comes back by itself where the login still works. error: nothing goes on without a human.",
    example: "qr_required",
  }),
  qr_status: z.enum(QR_STATUSES).openapi({
    description:
      "none: there is no QR. generated: qr_string can be scanned. expired: nobody has scanned it in time. used: a phone has scanned it.",
    example: "generated",
  }),
  qr_string: QrString.nullable().openapi({
    description: "A PNG that a phone can scan, as a data URL; null unless qr_status is generated.",
  }),
  qr_expires_at: WireInstant.nullable().openapi({
    description:
      "The instant from which on the QR is no longer valid: ISO 8601, UTC, whole seconds; null before the first QR.",
  }),
}).openapi("WhatsAppSession", { description: "A session, as the Central Hub sees it." });

/** The answer of POST …/qr: exactly these two fields. */
export const QrAnswer = z.strictObject({ qr_string: QrString, qr_expires_at: WireInstant })
  .openapi("Qr", { description: "A valid QR." });

const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Every error, everywhere. */
export const ErrorAnswer = z.strictObject({
  error: z.strictObject({
    code: z.enum(ERROR_CODES).openapi({
      description: "What went wrong, for programs.",
      example: "SESSION_NOT_FOUND",
    }),
    message: z.string().openapi({
      description: "What went wrong, for people: one plain sentence.",
      example: ERRORS.SESSION_NOT_FOUND.message,
    }),
  }).openapi({ description: "The error." }),
}).openapi("Error", { description: "Every error, of every endpoint." });

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
