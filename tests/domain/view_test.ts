import assert from "node:assert/strict";
import fc from "fast-check";
import { createSession } from "../../domain/session.ts";
import { REACTIONS, reactionTo, SESSION_STATUSES } from "@session-manager/contract";
import { toWire, viewQr, viewSession } from "../../domain/view.ts";
import { qrAnswerBody, sessionAnswer, wireInstant } from "./contract.ts";
import { PNG, showingQr, T0 } from "./journeys.ts";

Deno.test("toWire() drops what is less than a second, however close to the next", () => {
  const second = Date.parse("2026-01-04T12:34:56Z");
  for (const ms of [0, 1, 499, 500, 999]) assert.equal(toWire(second + ms), "2026-01-04T12:34:56Z");
  assert.equal(toWire(second + 1_000), "2026-01-04T12:34:57Z");
});

Deno.test("toWire() does not round up into the next minute, hour, day or year", () => {
  assert.equal(toWire(Date.parse("2026-12-31T23:59:59.999Z")), "2026-12-31T23:59:59Z");
});

Deno.test("toWire() writes an instant that reads back as the same second, whatever the instant", () => {
  const instants = fc.integer({ min: 0, max: Date.parse("9999-12-31T23:59:59.999Z") });
  fc.assert(fc.property(instants, (instant) => {
    const wire = wireInstant.parse(toWire(instant));
    assert.equal(Date.parse(wire), Math.floor(instant / 1_000) * 1_000);
  }));
});

Deno.test("viewSession() has exactly the contract's five fields when a session is new", () => {
  assert.deepEqual(viewSession(createSession("sender_51", T0), T0), {
    instance_id: "sender_51",
    status: "init",
    qr_status: "none",
    qr_string: null,
    qr_expires_at: null,
  });
});

Deno.test("viewSession() and viewQr() show the same QR when one is valid", () => {
  const { snapshot: { session }, now } = showingQr();
  assert.deepEqual(sessionAnswer.parse(viewSession(session, now)), {
    instance_id: "sender_51",
    status: "qr_required",
    qr_status: "generated",
    qr_string: PNG,
    qr_expires_at: "2026-01-04T12:01:02Z",
  });
  assert.ok(session.qr.status === "generated");
  assert.deepEqual(qrAnswerBody.parse(viewQr(session.qr)), {
    qr_string: PNG,
    qr_expires_at: "2026-01-04T12:01:02Z",
  });
});

Deno.test("viewQr() gives the very same object while the QR is the same", () => {
  const { snapshot: { session: { qr } } } = showingQr();
  assert.ok(qr.status === "generated");
  assert.equal(viewQr(qr), viewQr(qr));
  const next = { ...qr, expiresAt: qr.expiresAt + 20_000 };
  assert.equal(viewQr(next).qr_expires_at, toWire(next.expiresAt));
});

Deno.test("viewSession() shows no expiry when another system wrote the row without its instants", () => {
  const qr = { status: "used", generatedAt: null, expiresAt: null } as const;
  const session = { ...createSession("sender_51", T0), status: "connected", qr, lastError: null } as const;
  assert.deepEqual(sessionAnswer.parse(viewSession(session, T0)), {
    instance_id: "sender_51",
    status: "connected",
    qr_status: "used",
    qr_string: null,
    qr_expires_at: null,
  });
});

for (
  const [status, reaction] of [
    ["init", "request_qr"],
    ["qr_required", "show_qr"],
    ["connecting", "wait"],
    ["connected", "enable_sending"],
    ["disconnected", "block_sending"],
    ["error", "block_sending_and_alert"],
  ] as const
) {
  Deno.test(`reactionTo() says ${reaction} when the status is ${status}`, () => {
    assert.equal(reactionTo(status), reaction);
  });
}

Deno.test("REACTIONS is frozen and knows every status, and no other", () => {
  assert.deepEqual(Object.keys(REACTIONS), [...SESSION_STATUSES]);
  assert.ok(Object.isFrozen(REACTIONS));
});
