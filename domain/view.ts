/**
 * What the Hub is told of a session: exactly the contract's fields.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Endpoints".
 * @module
 */
import type { QrView, SessionView } from "@session-manager/contract";
import { isValid, retireQr } from "./qr.ts";
import type { GeneratedQr, Instant, Session } from "./session.ts";

/** An instant on the wire: ISO 8601, UTC, whole seconds, rounded down and never up. */
export function toWire(instant: Instant): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}

/** What the Hub's view of a session is made of. */
export type Outline = Pick<Session, "instanceId" | "status" | "qr">;

/** The session as the Hub sees it at `now`: a QR past its expiry is `expired`, whatever timers did. */
export function viewSession({ instanceId, status, qr: last }: Outline, now: Instant): SessionView {
  const qr = isValid(last, now) ? last : retireQr(last);
  return {
    instance_id: instanceId,
    status,
    qr_status: qr.status,
    qr_string: qr.status === "generated" ? qr.string : null,
    qr_expires_at: qr.status === "none" || qr.expiresAt === null ? null : toWire(qr.expiresAt),
  };
}

const qrViews = new WeakMap<GeneratedQr, QrView>();

/**
 * A valid QR as the Hub sees it: the very same object each time, so that whoever tells it can keep what it has made of
 * it. A Hub asks for a QR again and again while it is valid.
 */
export function viewQr(qr: GeneratedQr): QrView {
  const made = qrViews.get(qr);
  if (made !== undefined) return made;
  const view = { qr_string: qr.string, qr_expires_at: toWire(qr.expiresAt) };
  qrViews.set(qr, view);
  return view;
}
