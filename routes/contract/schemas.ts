/**
 * A session on the wire, once: the schemas that validate are the ones that document.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Names and types", "Endpoints".
 * @module
 */
import { z } from "@hono/zod-openapi";
import { INSTANCE_ID, QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";

const INSTANCE_ID_SENTENCE =
  "instance_id has to be 1 to 64 letters, digits, '_', '.', ':' or '-', the first a letter or a digit.";

/** The name of a session. */
export const InstanceId = z.string({ error: INSTANCE_ID_SENTENCE }).regex(INSTANCE_ID, {
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
