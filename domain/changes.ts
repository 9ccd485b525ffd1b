/**
 * What a session turns into; each change is one row of the decisions' table.
 *
 * Source: decisions, "Transitions".
 * @module
 */
import { lastErrorOf } from "./errors.ts";
import type { DisconnectReason, FaultCode } from "@session-manager/contract";
import { retireQr } from "./qr.ts";
import { type Instant, type NoQr, type Session, updateSession, type UsedQr } from "./session.ts";

/** `used`, or `none` where no QR ever linked this session. */
export function used({ qr }: Session): UsedQr | NoQr {
  if (qr.status === "none") return qr;
  return { status: "used", generatedAt: qr.generatedAt, expiresAt: qr.expiresAt };
}

/** A socket is opening with credentials: `connecting`. */
export function connecting(session: Session, now: Instant): Session {
  return updateSession(session, now, {
    status: "connecting",
    qr: used(session),
    lastError: session.lastError,
  });
}

/** The number is linked and the socket logged in. Without a number, the last one known stays. */
export function connected(session: Session, reported: string | null, now: Instant): Session {
  const phoneNumber = reported ?? session.phoneNumber;
  const again = session.status === "connected" && session.phoneNumber === phoneNumber;
  const qr = session.qr.status === "generated" ? used(session) : session.qr;
  return updateSession(session, now, { status: "connected", qr, lastError: null }, {
    phoneNumber,
    connectedAt: (again ? session.connectedAt : null) ?? now,
    disconnectedAt: null,
  });
}

/** The session is disconnected; `LOGOUT` leaves no QR besides. */
export function disconnected(session: Session, reason: DisconnectReason, now: Instant): Session {
  const lastError = lastErrorOf(reason);
  const repeated = session.status === "disconnected" && session.lastError.code === reason;
  const disconnectedAt = (repeated ? session.disconnectedAt : null) ?? now;
  const qr = reason === "LOGOUT" ? { status: "none" } as const : retireQr(session.qr);
  return updateSession(session, now, { status: "disconnected", qr, lastError }, { disconnectedAt });
}

/**
 * Nothing goes on without a human.
 * @param rival another session of this system that uses the same login
 */
export function failed(session: Session, code: FaultCode, rival: string | null, now: Instant): Session {
  const lastError = lastErrorOf(code, rival);
  return updateSession(session, now, { status: "error", qr: retireQr(session.qr), lastError });
}
