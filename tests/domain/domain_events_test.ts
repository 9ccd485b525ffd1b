/** What durable changes are told as. Source: extensions, "The feed". */
import assert from "node:assert/strict";
import type { DomainEvent } from "../../domain/domain_events.ts";
import { createdEvent } from "../../domain/domain_events.ts";
import { createSession } from "../../domain/session.ts";
import {
  asked,
  closedBy,
  created,
  dropped,
  INSTANCE,
  loggingIn,
  online,
  pairing,
  PHONE,
  type Place,
  PNG,
  qr,
  reportedConnected,
  scanned,
  showingQr,
  T0,
  then,
} from "./journeys.ts";
import { atEveryMoment } from "./world.ts";

const types = ({ events }: Place): DomainEvent["type"][] => events.map(({ type }) => type);

Deno.test("createdEvent() tells a session as it was made", () => {
  assert.deepEqual(createdEvent(createSession(INSTANCE, T0)), {
    type: "session.created",
    session: { instanceId: INSTANCE, status: "init", qrStatus: "none", qrExpiresAt: null },
  });
});

Deno.test("transition() tells session.status with the status before and the reason when the status changes", () => {
  const lost = dropped();
  assert.deepEqual(lost.events, [{
    type: "session.status",
    previousStatus: "connected",
    session: {
      instanceId: INSTANCE,
      status: "disconnected",
      qrStatus: "used",
      qrExpiresAt: lost.snapshot.session.qr.status === "used" ? lost.snapshot.session.qr.expiresAt : null,
    },
    reason: "NETWORK",
  }]);
  const [back] = online().events;
  assert.ok(back?.type === "session.status" && back.reason === null);
});

Deno.test("transition() tells session.status alone when status and QR change with each other", () => {
  assert.deepEqual(types(showingQr()), ["session.status"]);
  assert.deepEqual(types(scanned()), ["session.status"]);
});

Deno.test("transition() tells session.qr when only the QR changes", () => {
  const shown = showingQr();
  assert.deepEqual(types(then(shown, qr(shown.now + 60_000, 1, `${PNG}BB`), 60_000)), ["session.qr"]);
  assert.deepEqual(types(then(shown, { type: "tick" }, 60_000)), ["session.qr"]);
});

Deno.test("transition() tells nothing when nothing durable changes", () => {
  assert.deepEqual(types(pairing()), []);
  assert.deepEqual(types(then(online(), { type: "tick" }, 120_000)), []);
  assert.deepEqual(types(then(online(), reportedConnected)), []);
  // Another reason for the same status is told by the row alone.
  assert.deepEqual(types(then(dropped(), { type: "disconnected", reason: "TIMEOUT" })), []);
});

Deno.test("transition() tells session.account_changed besides when another number than before is connected", () => {
  const other = { type: "connected", phoneNumber: "+5491155550002", source: "socket" } as const;
  const changed = then(loggingIn(dropped()), other);
  assert.deepEqual(types(changed), ["session.status", "session.account_changed"]);
  const [, account] = changed.events;
  assert.ok(account?.type === "session.account_changed");
  assert.deepEqual([account.previousPhoneNumber, account.phoneNumber], [PHONE, "+5491155550002"]);
  assert.deepEqual(types(online(dropped())), ["session.status"]);
  assert.deepEqual(types(online()), ["session.status"]);
});

Deno.test("transition() tells each change of status or QR as exactly one event, and no QR's text in any", () => {
  atEveryMoment(({ before, after, told }) => {
    const changes = told.filter(({ type }) => type === "session.status" || type === "session.qr");
    const { session: was } = before;
    const { session: is } = after;
    const isChanged = was.status !== is.status || JSON.stringify(was.qr) !== JSON.stringify(is.qr);
    assert.equal(changes.length, isChanged ? 1 : 0);
    if (isChanged) assert.equal(changes[0]?.type, was.status !== is.status ? "session.status" : "session.qr");
    if (was === is) assert.deepEqual(told, []);
    assert.ok(!JSON.stringify(told).includes("base64"));
  });
});

Deno.test("transition() tells a fault by its code when the session is in error", () => {
  const [event] = then(online(), closedBy(440)).events;
  assert.ok(event?.type === "session.status" && event.reason === "LOGGED_IN_ELSEWHERE");
  assert.deepEqual(asked(created()), []);
});
