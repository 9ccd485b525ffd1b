/**
 * What goes over the wire, once: the schemas that validate are the ones that document.
 *
 * Source: `contrato-tecnico`, the four endpoints; decisions, "Names and types", "Endpoints".
 * @module
 */
import { z } from "@hono/zod-openapi";
import { type ErrorCode, ERRORS } from "../domain/errors.ts";
import {
  DISCONNECT_REASONS,
  INSTANCE_ID,
  PHONE_NUMBER,
  QR_STATUSES,
  SESSION_STATUSES,
} from "../domain/names.ts";

const INSTANCE_ID_SENTENCE =
  "instance_id has to be 1 to 64 letters, digits, '_', '.', ':' or '-', the first a letter or a digit.";
const PHONE_NUMBER_SENTENCE = "phone_number has to be an E.164 number, such as +5491155550000.";
const REASON_SENTENCE = `reason has to be one of ${DISCONNECT_REASONS.join(", ")}.`;

const InstanceId = z.string({ error: INSTANCE_ID_SENTENCE }).regex(INSTANCE_ID, {
  error: INSTANCE_ID_SENTENCE,
})
  .openapi({ example: "sender_51" });

const WireInstant = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/)
  .openapi({ format: "date-time", example: "2026-01-04T12:34:56Z" });

const QrString = z.string().regex(/^data:image\/png;base64,/)
  .openapi({ description: "A PNG that a phone can scan.", example: "data:image/png;base64,iVBORw0KGgo…" });

/** The path of both Hub endpoints. */
export const SessionPath = z.object({ instance_id: InstanceId });

/** The answer of GET and of both internal events: exactly these five fields. */
export const SessionAnswer = z.strictObject({
  instance_id: InstanceId,
  status: z.enum(SESSION_STATUSES),
  qr_status: z.enum(QR_STATUSES),
  qr_string: QrString.nullable(),
  qr_expires_at: WireInstant.nullable(),
}).openapi("WhatsAppSession");

/** The answer of POST …/qr: exactly these two fields. */
export const QrAnswer = z.strictObject({ qr_string: QrString, qr_expires_at: WireInstant }).openapi("Qr");

const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Every error, everywhere. */
export const ErrorAnswer = z.strictObject({
  error: z.strictObject({ code: z.enum(ERROR_CODES), message: z.string() }),
}).openapi("Error");

const NO_OBJECT = { error: "The body has to be a JSON object." };

export const ConnectedEvent = z.object({
  instance_id: InstanceId,
  phone_number: z.string({ error: PHONE_NUMBER_SENTENCE }).regex(PHONE_NUMBER, {
    error: PHONE_NUMBER_SENTENCE,
  })
    .openapi({ example: "+5491155550000" }),
}, NO_OBJECT).openapi("ConnectedEvent");

export const DisconnectedEvent = z.object({
  instance_id: InstanceId,
  reason: z.enum(DISCONNECT_REASONS, { error: REASON_SENTENCE }),
}, NO_OBJECT).openapi("DisconnectedEvent");
