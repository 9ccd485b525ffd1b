/**
 * Named places in a session's life, each reached the way it is reached in earnest: by events.
 * @module
 */
import {
  atRest,
  DEFAULT_POLICY,
  nextTickMs,
  type Policy,
  type SessionSnapshot,
  type Steady,
} from "../../domain/snapshot.ts";
import type { TransitionContext } from "../../domain/moves.ts";
import { createSession, type Instant } from "../../domain/session.ts";
import type { DisconnectCause } from "../../domain/disconnect.ts";
import { type CredentialsChange, KEEP } from "../../domain/credentials.ts";
import type { DomainEvent } from "../../domain/domain_events.ts";
import type { Effect, SessionEvent } from "../../domain/events.ts";
import type { FaultCode } from "@session-manager/contract";
import { transition } from "../../domain/transition.ts";
import { WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { deepFreeze } from "./world.ts";
import { PAIRED } from "./arbitraries.ts";

/** The product's own bounds, with the default of `QR_WAIT_MS`. */
export const POLICY: Policy = { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 20_000 };

export const T0: Instant = Date.parse("2026-01-04T12:00:00Z");
/** The id that each event may retire a login under. */
export const RETIRED = "retired-1";
export const INSTANCE = "sender_51";
export const PHONE = "+5491155550001";
export const PNG = "data:image/png;base64,QUFB";

/** A life at a moment, and what was asked for on the way there. */
export interface Place {
  readonly snapshot: SessionSnapshot;
  readonly now: Instant;
  /** What the last event led to. */
  readonly credentials: CredentialsChange;
  readonly events: readonly DomainEvent[];
  readonly effects: readonly Effect[];
}

/** Applies one event `afterMs` later; `given` differs from a quiet world with dice in the middle. */
export function then(
  from: Place,
  event: SessionEvent,
  afterMs = 1_000,
  given: Partial<TransitionContext> = {},
): Place {
  const now = from.now + afterMs;
  const at = {
    now,
    steady: steadyAt(now),
    random: 0.5,
    tearingDown: false,
    retiredId: RETIRED,
    policy: POLICY,
    ...given,
  };
  const { snapshot, ...rest } = transition(deepFreeze(from.snapshot), event, at);
  return { snapshot, ...rest, now };
}

/** Time passes up to the moment at which a tick has something to do. */
export function thenDue(from: Place): Place {
  const dueMs = dueIn(from);
  if (dueMs === null) throw new RangeError("Nothing is waited for.");
  return then(from, { type: "tick" }, Math.max(0, dueMs));
}

/** Both clocks go side by side on these journeys; that they need not is the properties' affair. */
export function steadyAt(now: Instant): Steady {
  return now - T0 + 1_000;
}

/** How long after the place's own `now` a tick has something to do, in milliseconds; null for never. */
export function dueIn({ snapshot, now }: Place): number | null {
  return nextTickMs(snapshot, { now, steady: steadyAt(now) });
}

/** What becomes of the credentials, unless they stay, and the types of the effects, in order. */
export function asked({ credentials, effects }: Place): (CredentialsChange["kind"] | Effect["type"])[] {
  const change = credentials.kind === "keep" ? [] : [credentials.kind];
  return [...change, ...effects.map(({ type }) => type)];
}

export const qr = (now: Instant, ordinal = 0, string = PNG): SessionEvent => ({
  type: "qr",
  string,
  ordinal,
  generatedAt: now,
});
/** The pairing socket ends. */
export const unpaired = (cause: DisconnectCause): SessionEvent => ({ type: "pairing_closed", cause });
/** WhatsApp ends the pairing socket with its own `code`. */
export const unpairedBy = (code: number): SessionEvent => unpaired({ origin: "whatsapp", code });
/** The login's socket ends. */
export const closed = (cause: DisconnectCause): SessionEvent => ({ type: "login_closed", cause });
/** WhatsApp ends the login's socket with its own `code`. */
export const closedBy = (code: number): SessionEvent => closed({ origin: "whatsapp", code });
export const socketConnected: SessionEvent = { type: "connected", phoneNumber: PHONE, source: "socket" };
export const reportedConnected: SessionEvent = { type: "connected", phoneNumber: PHONE, source: "internal" };

/** `init` / `none`, nobody doing anything for it. */
export function created(): Place {
  return {
    snapshot: atRest(createSession(INSTANCE, T0), "none"),
    now: T0,
    credentials: KEEP,
    events: [],
    effects: [],
  };
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
  return then(showingQr(from), PAIRED);
}

/** The login's socket is opening. */
export function loggingIn(from: Place = created()): Place {
  return then(scanned(from), unpairedBy(515));
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

/** The login's socket is opening again, after a drop. */
export function returning(): Place {
  return then(queued(), { type: "admitted" });
}

/** A QR is shown, and the login's socket is opening again beside it. */
export function showingQrWhileReturning(): Place {
  return then(then(showingQr(dropped()), { type: "tick" }), { type: "admitted" });
}

/** The login's socket is opening again, and the QR that was asked for is still to come. */
export function returningBeforeQr(): Place {
  return then(then(pairing(dropped()), { type: "tick" }), { type: "admitted" });
}

/** A QR is shown, and the login beside it cannot go on without a human. */
export function showingQrOverFailure(code: 403 | 405 | 411 | 440 = 403): Place {
  return then(showingQrWhileReturning(), closedBy(code));
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
  return then({
    ...from,
    snapshot: atRest(from.snapshot.session, from.snapshot.link, from.snapshot.predecessor),
  }, {
    type: "restored",
  }, afterMs);
}

/** Every way in which a pairing ends without a scan or a refusal. */
export const UNSCANNED: Readonly<Record<string, (place: Place) => Place>> = {
  "its socket ends": (place) => then(place, unpairedBy(428)),
  "WhatsApp says 401 to it": (place) => then(place, unpairedBy(401)),
  "its worker is gone": (place) => then(place, unpaired({ origin: "worker" })),
  "no further QR comes": (place) => then(place, { type: "tick" }, 60_000 + POLICY.nextQrMs),
};
