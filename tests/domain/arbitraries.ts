/**
 * Arbitrary sessions, events and stretches of time for the properties of the domain. Everything is plain
 * data, so that a failing case can be read and shrinks well.
 * @module
 */
import fc from "fast-check";
import { DISCONNECT_REASONS, FAULT_CODES } from "@session-manager/contract";
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { GeneratedQr, LastError, Session, SessionFacts, SessionState } from "../../domain/session.ts";
import type { Policy } from "../../domain/snapshot.ts";
import type { SessionEvent } from "../../domain/events.ts";

/** A scan that WhatsApp has accepted, with its login. */
export const PAIRED = { type: "paired", credentials: "{}", keys: [] } as const;

/** When every story begins; stored instants lie before it. Not a whole second, so that rounding shows. */
export const START = Date.parse("2026-01-04T12:34:56.789Z");

/** Bounds so small that a few steps of time reach every one of them. */
export const SMALL_POLICY: Policy = {
  qrLife: { firstMs: 60, nextMs: 20 },
  firstQrMs: 30,
  nextQrMs: 5,
  restartMs: 20,
  queueMs: 60,
  loginMs: 40,
  stableMs: 50,
  backoff: { baseMs: 4, quickMs: 16, capMs: 32 },
};

/** Small bounds of every proportion; waits that may be nothing at all are allowed to be so. */
export const policies: fc.Arbitrary<Policy> = fc.oneof(
  fc.constant(SMALL_POLICY),
  fc.record({
    qrLife: fc.record({ firstMs: fc.integer({ min: 1, max: 90 }), nextMs: fc.integer({ min: 1, max: 40 }) }),
    firstQrMs: fc.integer({ min: 1, max: 60 }),
    nextQrMs: fc.integer({ min: 0, max: 30 }),
    restartMs: fc.integer({ min: 1, max: 60 }),
    queueMs: fc.integer({ min: 1, max: 90 }),
    loginMs: fc.integer({ min: 1, max: 60 }),
    stableMs: fc.integer({ min: 0, max: 60 }),
    backoff: fc.record({
      baseMs: fc.integer({ min: 0, max: 20 }),
      quickMs: fc.integer({ min: 0, max: 40 }),
      capMs: fc.integer({ min: 0, max: 60 }),
    }),
  }),
);

/** What `Math.random` may give. */
export const randoms: fc.Arbitrary<number> = fc.double({
  min: 0,
  max: 1,
  maxExcluded: true,
  noNaN: true,
});

/** Milliseconds from one event to the next: none, a few, about a deadline's worth, or far past them all. */
export const gaps: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 100_000 }) },
);

const knownCodes = fc.constantFrom(401, 403, 405, 408, 411, 428, 440, 500, 503, 515);
const codes = fc.oneof(
  knownCodes,
  fc.integer({ min: 400, max: 599 }),
  fc.integer(),
);

/** Every way in which a socket can end. */
export const causes: fc.Arbitrary<DisconnectCause> = fc.oneof(
  // What WhatsApp is known to say decides most, and would be rare among all that may be said.
  {
    weight: 4,
    arbitrary: fc.record({ origin: fc.constant("whatsapp" as const), code: knownCodes }),
  },
  fc.record({ origin: fc.constant("whatsapp" as const), code: codes }),
  fc.record({ origin: fc.constant("client" as const), code: codes }),
  fc.record(
    {
      origin: fc.constant("network" as const),
      status: codes,
      errno: fc.constantFrom("ETIMEDOUT", "ESOCKETTIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ENOTFOUND", ""),
    },
    { requiredKeys: ["origin"] },
  ),
  fc.constant({ origin: "worker" as const }),
);

const phoneNumbers = fc.constantFrom("+5491155550001", "+5491155550002", "+1234567");
const qrStrings = fc.constantFrom("data:image/png;base64,QUFB", "data:image/png;base64,QkJC");

/**
 * Every event but `restored` and `stopping`, which only a start and an end bring. `generatedAt` of a `qr` is how long ago the
 * socket showed it; the world turns it into an instant.
 */
export const events: fc.Arbitrary<SessionEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: "qr_requested" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("qr" as const),
      string: qrStrings,
      ordinal: fc.nat({ max: 5 }),
      generatedAt: fc.oneof(fc.constant(0), fc.nat({ max: 10 }), fc.nat({ max: 120 })),
    }),
  },
  { weight: 3, arbitrary: fc.constant(PAIRED) },
  { weight: 1, arbitrary: fc.constant({ type: "passkey_demanded" as const }) },
  { weight: 5, arbitrary: fc.constant({ type: "admitted" as const }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("connected" as const),
      // A login may name no number; a report may leave it out.
      phoneNumber: fc.option(phoneNumbers, { freq: 6 }),
      source: fc.constantFrom("socket" as const, "socket" as const, "internal" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("disconnected" as const),
      reason: fc.constantFrom(...DISCONNECT_REASONS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("pairing_closed" as const), cause: causes }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("login_closed" as const), cause: causes }) },
  { weight: 1, arbitrary: fc.constant({ type: "credentials_unreadable" as const }) },
  { weight: 2, arbitrary: fc.constant({ type: "tick" as const }) },
);

const past = fc.integer({ min: START - 100_000, max: START });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);

const facts: fc.Arbitrary<SessionFacts> = fc.record({
  instanceId: fc.constantFrom("sender_51", "a", "A.b:c-d_9"),
  phoneNumber: maybe(phoneNumbers),
  connectedAt: maybe(past),
  disconnectedAt: maybe(past),
  createdAt: past,
  updatedAt: past,
});

const noQr = fc.constant({ status: "none" as const });
const generatedQr: fc.Arbitrary<GeneratedQr> = fc
  .record({ string: qrStrings, generatedAt: past, snapshot: fc.integer({ min: 1, max: 120_000 }) })
  .map(({ string, generatedAt, snapshot }) => ({
    status: "generated",
    string,
    generatedAt,
    expiresAt: generatedAt + snapshot,
  }));
// Rows that another system wrote may lack the instants.
const instantsOf = { generatedAt: maybe(past), expiresAt: maybe(past) };
const expiredQr = fc.record({ status: fc.constant("expired" as const), ...instantsOf });
const usedQr = fc.record({ status: fc.constant("used" as const), ...instantsOf });
const spentQr = fc.oneof(noQr, expiredQr, usedQr);

const lastErrors: fc.Arbitrary<LastError> = fc.record({
  code: fc.constantFrom(...DISCONNECT_REASONS, ...FAULT_CODES, "WRITTEN_BY_ANOTHER_SYSTEM"),
  message: fc.constantFrom("", "One plain sentence."),
});
const noError = fc.constant(null);

/** Every state that the union allows. */
export const states: fc.Arbitrary<SessionState> = fc.oneof(
  fc.record({ status: fc.constant("init" as const), qr: noQr, lastError: noError }),
  fc.record({
    status: fc.constant("qr_required" as const),
    qr: fc.oneof(generatedQr, expiredQr),
    lastError: noError,
  }),
  fc.record({
    status: fc.constant("connecting" as const),
    qr: fc.oneof(noQr, usedQr),
    lastError: maybe(lastErrors),
  }),
  fc.record({ status: fc.constant("connected" as const), qr: spentQr, lastError: noError }),
  fc.record({ status: fc.constant("disconnected" as const), qr: spentQr, lastError: lastErrors }),
  fc.record({ status: fc.constant("error" as const), qr: spentQr, lastError: lastErrors }),
);

/** Every session that a store may hold. */
export const sessions: fc.Arbitrary<Session> = fc.tuple(facts, states).map(([fact, state]) => ({
  ...fact,
  ...state,
}));
