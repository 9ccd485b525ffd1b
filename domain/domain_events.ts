/**
 * Domain events: what a durable change of a session is told to the outside as. Values; nobody is told by making one.
 *
 * Source: extensions, "The feed": each durable change of status or QR is exactly one event. One that changes the status
 * is `session.status`, whatever else it changes; one that changes only the QR is `session.qr`. Others come besides.
 * @module
 */
import type { DisconnectReason, FaultCode } from "@session-manager/contract";
import { type Instant, sameQr, type Session } from "./session.ts";

/** As much of a session as an event tells; never the QR's text. */
export interface EventSession {
  readonly instanceId: string;
  readonly status: Session["status"];
  readonly qrStatus: Session["qr"]["status"];
  /** Null where there is no QR, or its instants are unknown. */
  readonly qrExpiresAt: Instant | null;
}

/** Something happened to a session, and is durable. */
export type DomainEvent =
  | { readonly type: "session.created"; readonly session: EventSession }
  /** A new QR, or one that is over. */
  | { readonly type: "session.qr"; readonly session: EventSession }
  | {
    readonly type: "session.status";
    readonly previousStatus: Session["status"];
    readonly session: EventSession;
    /** Why it is disconnected or in error; null otherwise. */
    readonly reason: DisconnectReason | FaultCode | (string & Record<never, never>) | null;
  }
  /** Another number than before has scanned. */
  | {
    readonly type: "session.account_changed";
    readonly session: EventSession;
    readonly previousPhoneNumber: string;
    readonly phoneNumber: string;
  };

/** A session as an event tells it. */
function eventSession({ instanceId, status, qr }: Session): EventSession {
  return {
    instanceId,
    status,
    qrStatus: qr.status,
    qrExpiresAt: qr.status === "none" ? null : qr.expiresAt,
  };
}

/** The event of a session that has just been made. */
export function createdEvent(session: Session): DomainEvent {
  return { type: "session.created", session: eventSession(session) };
}

/** The events of one durable write of a session. */
export function domainEvents(before: Session, after: Session): DomainEvent[] {
  if (before === after) return [];
  const session = eventSession(after);
  const events: DomainEvent[] = [];
  if (before.status !== after.status) {
    const reason = after.status === "disconnected" || after.status === "error" ? after.lastError.code : null;
    events.push({ type: "session.status", previousStatus: before.status, session, reason });
  } else if (!sameQr(before.qr, after.qr)) {
    events.push({ type: "session.qr", session });
  }
  const { phoneNumber: previousPhoneNumber } = before;
  const { phoneNumber } = after;
  if (previousPhoneNumber !== null && phoneNumber !== null && previousPhoneNumber !== phoneNumber) {
    events.push({ type: "session.account_changed", session, previousPhoneNumber, phoneNumber });
  }
  return events;
}
