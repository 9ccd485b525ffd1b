/**
 * The one function through which every change of a session goes, wherever it comes from.
 *
 * Source: decisions, "Transitions", "The QR", "Internal events", "After a restart".
 * @module
 */
import type { CredentialsChange } from "./credentials.ts";
import { judge } from "./disconnect.ts";
import { type DomainEvent, domainEvents } from "./domain_events.ts";
import type { Effect, SessionEvent } from "./events.ts";
import {
  CLOSE_LOGIN,
  CLOSE_PAIRING,
  failLogin,
  logOut,
  type Move,
  openLogin,
  type TransitionContext,
  unchanged,
} from "./moves.ts";
import { onLoginLost, onSocketConnected } from "./on_login.ts";
import { onPaired, onPairingClosed, onQr, onQrRequested, refusePairing } from "./on_pairing.ts";
import { onReportedConnected, onReportedDisconnected } from "./on_report.ts";
import { onRestored, onStopping, onTick } from "./on_time.ts";
import { asOf } from "./qr.ts";
import { hasLoginSocket, isPairing, type SessionSnapshot } from "./snapshot.ts";

/** What an event leads to. */
export interface Transition {
  /** The next snapshot; the very same object when the event changes nothing. */
  readonly snapshot: SessionSnapshot;
  /** What becomes of the stored credentials, in the transaction that writes the session. */
  readonly credentials: CredentialsChange;
  /** What is told to the outside, in its order, once it is durable. */
  readonly events: readonly DomainEvent[];
  /** What has to be done once all of that is durable, in its order. */
  readonly effects: readonly Effect[];
}

/**
 * Applies one event. Total: every event is defined in every state; one that no longer concerns the
 * session (a late report of a closed socket) changes nothing.
 */
export function transition(before: SessionSnapshot, event: SessionEvent, at: TransitionContext): Transition {
  const { snapshot, credentials, effects } = move(before, event, at);
  return { snapshot, credentials, events: domainEvents(before.session, snapshot.session), effects };
}

function move(before: SessionSnapshot, event: SessionEvent, at: TransitionContext): Move {
  const session = asOf(before.session, at.now);
  const snapshot = session === before.session ? before : { ...before, session };
  switch (event.type) {
    case "qr_requested":
      return onQrRequested(snapshot, at);
    case "qr":
      return onQr(snapshot, event, at);
    case "paired":
      return onPaired(snapshot, event, at);
    case "passkey_demanded":
      return isPairing(snapshot)
        ? refusePairing(snapshot, "PASSKEY_REQUIRED", at, [CLOSE_PAIRING])
        : unchanged(snapshot);
    case "admitted":
      return snapshot.login.kind === "queued"
        ? openLogin(snapshot, snapshot.login.failures, at)
        : unchanged(snapshot);
    case "connected":
      return event.source === "socket"
        ? onSocketConnected(snapshot, event.phoneNumber, at)
        : onReportedConnected(snapshot, event.phoneNumber, at);
    case "disconnected":
      return event.reason === "LOGOUT"
        ? logOut(snapshot, at)
        : onReportedDisconnected(snapshot, event.reason, at);
    case "pairing_closed":
      return onPairingClosed(snapshot, judge(event.cause), at);
    case "login_closed":
      return hasLoginSocket(snapshot)
        ? onLoginLost(snapshot, judge(event.cause), event.rival ?? null, at)
        : unchanged(snapshot);
    case "credentials_unreadable":
      return hasLoginSocket(snapshot)
        ? failLogin(snapshot, "CREDENTIALS_UNREADABLE", null, at, [CLOSE_LOGIN])
        : unchanged(snapshot);
    case "restored":
      return onRestored(snapshot, at);
    case "stopping":
      return onStopping(snapshot, at);
    case "tick":
      return onTick(snapshot, at);
    default:
      return event satisfies never;
  }
}
