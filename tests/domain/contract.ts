/**
 * The contract's answers as strict schemas, written from the contract's text and not from the code:
 * the frozen names are spelled out here a second time on purpose.
 * @module
 */
import { z } from "zod";

/** ISO 8601, UTC, whole seconds, `Z`. */
export const wireInstant = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);

const qrString = z.string().regex(/^data:image\/png;base64,[A-Za-z0-9+/]+={0,2}$/);

/** `GET /sessions/:instance_id`: exactly five fields. */
export const sessionAnswer = z.strictObject({
  instance_id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/),
  status: z.enum(["init", "qr_required", "connecting", "connected", "disconnected", "error"]),
  qr_status: z.enum(["none", "generated", "expired", "used"]),
  qr_string: qrString.nullable(),
  qr_expires_at: wireInstant.nullable(),
});

/** `POST /sessions/:instance_id/qr`: exactly two fields. */
export const qrAnswerBody = z.strictObject({ qr_string: qrString, qr_expires_at: wireInstant });
