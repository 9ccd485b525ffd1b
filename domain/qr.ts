/**
 * The life of a QR. The socket may rotate it, timers may be late: what counts is `expiresAt`.
 *
 * Source: decisions, "The QR".
 * @module
 */
import {
  type ExpiredQr,
  type GeneratedQr,
  type Instant,
  type Qr,
  type Session,
  type SpentQr,
  updateSession,
} from "./session.ts";

/** How long the QRs of one socket live, in milliseconds. */
export interface QrLife {
  /** The first QR of a socket. */
  readonly firstMs: number;
  /** Each later one. */
  readonly nextMs: number;
}

/** WhatsApp's own: 60 s for the first QR of a socket, 20 s for each later one. */
export const WHATSAPP_QR_LIFE: QrLife = { firstMs: 60_000, nextMs: 20_000 };

/**
 * A QR as it comes out of the socket.
 * @param string the PNG as a data URL
 * @param ordinal 0 for the first QR of a socket
 * @param generatedAt when the socket showed it; its life counts from there, however late the news
 */
export function generateQr(
  string: string,
  ordinal: number,
  generatedAt: Instant,
  snapshot: QrLife,
): GeneratedQr {
  const lifeMs = ordinal === 0 ? snapshot.firstMs : snapshot.nextMs;
  return { status: "generated", string, generatedAt, expiresAt: generatedAt + lifeMs };
}

/** Whether a phone may still scan this QR at `now`. The instant of expiry is already too late. */
export function isValid(qr: Qr, now: Instant): qr is GeneratedQr {
  return qr.status === "generated" && now < qr.expiresAt;
}

/** The QR without its text, the instants kept: what remains when its socket or its time is over. */
export function expire(qr: GeneratedQr): ExpiredQr {
  return { status: "expired", generatedAt: qr.generatedAt, expiresAt: qr.expiresAt };
}

/** The QR as it is once its socket has closed. */
export function retireQr(qr: Qr): SpentQr {
  return qr.status === "generated" ? expire(qr) : qr;
}

/**
 * The session as it is at `now`: a QR past its expiry is `expired` in every answer, whatever timers did.
 * The very same object when that changes nothing.
 */
export function asOf(session: Session, now: Instant): Session {
  return isValid(session.qr, now) ? session : withoutValidQr(session, now);
}

/** The session whose QR, if it shows one, nobody can scan any more: a QR never outlives its socket. */
export function withoutValidQr(session: Session, now: Instant): Session {
  if (session.qr.status !== "generated") return session;
  return updateSession(session, now, { status: "qr_required", qr: expire(session.qr), lastError: null });
}
