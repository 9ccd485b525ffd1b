/**
 * What the Hub is told of a session: exactly the contract's fields.
 *
 * Source: `contrato-tecnico`, endpoints 1 and 2; decisions, "Endpoints".
 * @module
 */
import type { QrView, SessionView } from "@session-manager/contract";
import { isValid, spend } from "./qr.ts";
import type { GeneratedQr, Instant, Session } from "./session.ts";

/** An instant on the wire: ISO 8601, UTC, whole seconds, rounded down and never up. */
export function toWire(instant: Instant): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}

/** What the Hub's view of a session is made of. */
export type Outline = Pick<Session, "instanceId" | "status" | "qr">;

/** The session as the Hub sees it at `now`: a QR past its expiry is `expired`, whatever timers did. */
export function viewSession({ instanceId, status, qr: last }: Outline, now: Instant): SessionView {
  const qr = isValid(last, now) ? last : spend(last);
  return {
    instance_id: instanceId,
    status,
    qr_status: qr.status,
    qr_string: qr.status === "generated" ? qr.string : null,
    qr_expires_at: qr.status === "none" || qr.expiresAt === null ? null : toWire(qr.expiresAt),
  };
}

/** A valid QR as the Hub sees it. */
export function viewQr(qr: GeneratedQr): QrView {
  return { qr_string: qr.string, qr_expires_at: toWire(qr.expiresAt) };
}

/**
 * Views, each made once and then the very same object for as long as its session stays as it is: the Hub asks
 * again and again, and an instant on the wire alone takes 2 µs of the 14 that a whole answer may take.
 */
export class Views {
  readonly #sessions = new WeakMap<Session, SessionView>();
  readonly #qrs = new WeakMap<GeneratedQr, QrView>();

  /** As {@link viewSession}. */
  ofSession(session: Session, now: Instant): SessionView {
    // Time alone makes another view of this one.
    if (session.qr.status === "generated" && !isValid(session.qr, now)) return viewSession(session, now);
    const made = this.#sessions.get(session);
    if (made !== undefined) return made;
    const view = viewSession(session, now);
    this.#sessions.set(session, view);
    return view;
  }

  /** As {@link viewQr}. */
  ofQr(qr: GeneratedQr): QrView {
    const made = this.#qrs.get(qr);
    if (made !== undefined) return made;
    const view = viewQr(qr);
    this.#qrs.set(qr, view);
    return view;
  }
}
