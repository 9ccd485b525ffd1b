/**
 * Named places in a session's life, each reached the way it is reached in earnest: by events.
 * @module
 */
import {
  atRest,
  createSession,
  DEFAULT_POLICY,
  type DisconnectCause,
  type Effect,
  type FaultCode,
  type Instant,
  type Life,
  type Policy,
  type SessionEvent,
  transition,
  WHATSAPP_QR_LIFE,
} from "../../domain/mod.ts";
import { deepFreeze } from "./world.ts";

/** The product's own bounds, with the default of `QR_WAIT_MS`. */
export const POLICY: Policy = { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 20_000 };

export const T0: Instant = Date.parse("2026-01-04T12:00:00Z");
export const INSTANCE = "sender_51";
export const PHONE = "+5491155550001";
export const PNG = "data:image/png;base64,QUFB";

/** A life at a moment, and what was asked for on the way there. */
export interface Place {
  readonly life: Life;
  readonly now: Instant;
  /** What the last event asked for. */
  readonly effects: readonly Effect[];
}

/** Applies one event `afterMs` later. `random` is what spreads the retries. */
export function then(from: Place, event: SessionEvent, afterMs = 1_000, random = 0.5): Place {
  const now = from.now + afterMs;
  return { ...transition(deepFreeze(from.life), event, { now, random, policy: POLICY }), now };
}

/** The types of the effects, in order. */
export function asked({ effects }: Place): Effect["type"][] {
  return effects.map(({ type }) => type);
}

export const qr = (now: Instant, ordinal = 0, string = PNG): SessionEvent => ({
  type: "qr",
  string,
  ordinal,
  generatedAt: now,
});
export const closed = (cause: DisconnectCause): SessionEvent => ({ type: "closed", cause });
/** WhatsApp ends the socket with its own `code`. */
export const closedBy = (code: number): SessionEvent => closed({ origin: "whatsapp", code });
export const socketConnected: SessionEvent = { type: "connected", phoneNumber: PHONE, source: "socket" };
export const reportedConnected: SessionEvent = { type: "connected", phoneNumber: PHONE, source: "internal" };

/** `init` / `none`, nobody doing anything for it. */
export function created(): Place {
  return { life: atRest(createSession(INSTANCE, T0), "none"), now: T0, effects: [] };
}

/** A pairing socket is open that has shown nothing yet. */
export function pairing(from: Place = created()): Place {
  return then(from, { type: "qr_requested" });
}

/** A valid QR is shown, generated at the place's own `now`. */
export function showingQr(from: Place = created()): Place {
  const open = pairing(from);
  return then(open, qr(open.now + 1_000));
}

/** The phone has scanned and WhatsApp has accepted. */
export function scanned(from: Place = created()): Place {
  return then(showingQr(from), { type: "paired" });
}

/** The login's socket is opening. */
export function loggingIn(from: Place = created()): Place {
  return then(scanned(from), closedBy(515));
}

/** Logged in. */
export function online(from: Place = created()): Place {
  return then(loggingIn(from), socketConnected);
}

/** Dropped with credentials that still work, waiting before the next attempt. */
export function dropped(from: Place = online()): Place {
  return then(from, closedBy(428));
}

/** Dropped, and its turn to log in asked for. */
export function queued(): Place {
  return then(dropped(), { type: "tick" }, POLICY.backoff.capMs);
}

/** In `error` with this code, reached by the event that brings it. */
export function failed(code: FaultCode): Place {
  switch (code) {
    case "LOGGED_IN_ELSEWHERE":
      return then(online(), closedBy(440));
    case "ACCOUNT_FORBIDDEN":
      return then(online(), closedBy(403));
    case "CLIENT_OUTDATED":
      return then(loggingIn(), closedBy(405));
    case "MULTIDEVICE_MISMATCH":
      return then(loggingIn(), closedBy(411));
    case "PASSKEY_REQUIRED":
      return then(showingQr(), { type: "passkey_demanded" });
    case "CREDENTIALS_UNREADABLE":
      return then(loggingIn(), { type: "credentials_unreadable" });
  }
}

/** The process starts again and finds the session as its store has it. */
export function restarted(from: Place, afterMs = 1_000): Place {
  return then({ ...from, life: atRest(from.life.session, from.life.link) }, { type: "restored" }, afterMs);
}
