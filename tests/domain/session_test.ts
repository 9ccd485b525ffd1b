import assert from "node:assert/strict";
import fc from "fast-check";
import { type SessionFacts, type SessionState, updateSession } from "../../domain/session.ts";
import { sessions, START } from "./arbitraries.ts";
import { online, showingQr } from "./journeys.ts";
import { deepFreeze } from "./world.ts";

const LATER = START + 1_000_000;
const error = { code: "NETWORK", message: "The connection was lost." } as const;
const used = { status: "used", generatedAt: 1, expiresAt: 2 } as const;
const shown = {
  status: "generated",
  string: "data:image/png;base64,QUFB",
  generatedAt: 1,
  expiresAt: 2,
} as const;
const dropped = { status: "disconnected", qr: used, lastError: error } as const;
const showing = { status: "qr_required", qr: shown, lastError: null } as const;

Deno.test("updateSession() returns the very same session when it becomes what it is", () => {
  fc.assert(fc.property(sessions, (session) => {
    const { status, qr, lastError } = structuredClone(session);
    assert.equal(
      updateSession(deepFreeze(session), LATER, { status, qr, lastError } as SessionState),
      session,
    );
  }));
});

/** Pairs of states that differ in nothing but what the name says. */
const STATES: Readonly<Record<string, readonly [SessionState, SessionState]>> = {
  status: [dropped, { ...dropped, status: "error" }],
  qr_status: [dropped, { ...dropped, qr: { ...used, status: "expired" } }],
  "qr_status, to none": [dropped, { ...dropped, qr: { status: "none" } }],
  qr_string: [showing, { ...showing, qr: { ...shown, string: "data:image/png;base64,QkJC" } }],
  qr_generated_at: [dropped, { ...dropped, qr: { ...used, generatedAt: 0 } }],
  qr_expires_at: [dropped, { ...dropped, qr: { ...used, expiresAt: 3 } }],
  last_error_code: [dropped, { ...dropped, lastError: { ...error, code: "TIMEOUT" } }],
  last_error_message: [dropped, { ...dropped, lastError: { ...error, message: "It is back." } }],
};

for (const [field, [from, state]] of Object.entries(STATES)) {
  Deno.test(`updateSession() sets updated_at when nothing differs but ${field}`, () => {
    const before = updateSession(showingQr().snapshot.session, START, from);
    const after = updateSession(before, LATER, state);
    assert.deepEqual(after, { ...before, ...state, updatedAt: LATER });
  });
}

const FACTS: Readonly<Record<string, Partial<SessionFacts>>> = {
  phone_number: { phoneNumber: "+1234567" },
  connected_at: { connectedAt: START },
  disconnected_at: { disconnectedAt: START },
};

for (const [field, facts] of Object.entries(FACTS)) {
  Deno.test(`updateSession() sets updated_at when nothing differs but ${field}`, () => {
    const before = updateSession(online().snapshot.session, START, dropped);
    assert.deepEqual(updateSession(before, LATER, dropped, facts), { ...before, ...facts, updatedAt: LATER });
  });
}
