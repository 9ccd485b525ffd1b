import assert from "node:assert/strict";
import { judge } from "../../domain/disconnect.ts";
import { lastErrorOf } from "../../domain/errors.ts";
import type { SessionEvent } from "../../domain/events.ts";
import {
  asked,
  closed,
  closedBy,
  created,
  dropped,
  failed,
  loggingIn,
  online,
  pairing,
  qr,
  reportedConnected,
  returning,
  scanned,
  showingQr,
  socketConnected,
  then,
  unpairedBy,
} from "./journeys.ts";

const UNREADABLE: SessionEvent = { type: "credentials_unreadable" };

Deno.test("transition() leaves updated_at alone when a QR that came too late is told again", () => {
  const open = pairing();
  const late = qr(open.now);
  const once = then(open, late, 60_000);
  assert.equal(once.snapshot.session.qr.status, "expired");
  assert.equal(then(once, late, 1_000).snapshot.session, once.snapshot.session);
});

Deno.test("transition() takes a login that works up again when it is told out of an error", () => {
  for (const code of ["CREDENTIALS_UNREADABLE", "CLIENT_OUTDATED"] as const) {
    const told = then(failed(code), reportedConnected);
    assert.equal(told.snapshot.login.kind, "waiting");
    const lost = then(told, { type: "disconnected", reason: "NETWORK" });
    assert.equal(lost.snapshot.login.kind, "waiting");
  }
});

Deno.test("transition() believes unreadable credentials only of a socket that uses them", () => {
  const out = then(loggingIn(), { type: "disconnected", reason: "LOGOUT" });
  assert.equal(then(out, UNREADABLE).snapshot, out.snapshot);
  const shown = showingQr();
  assert.equal(then(shown, UNREADABLE).snapshot, shown.snapshot);
  assert.equal(then(online(), UNREADABLE).snapshot.session.lastError?.code, "CREDENTIALS_UNREADABLE");
});

Deno.test("transition() obeys a restart immediately only when the connection had held", () => {
  const again = then(online(), closedBy(515), 0);
  assert.deepEqual(asked(again), ["open_login_socket"]);
  const twice = then(then(again, socketConnected, 0), closedBy(515), 0);
  assert.equal(twice.snapshot.login.kind, "waiting");
  assert.equal(twice.snapshot.session.status, "disconnected");
});

Deno.test("transition() ignores a start that is told of a session at work", () => {
  const open = online();
  assert.equal(then(open, { type: "restored" }).snapshot, open.snapshot);
});

Deno.test("lastErrorOf() names the rival when another session uses the same login, and only then", () => {
  const told = lastErrorOf("LOGGED_IN_ELSEWHERE", "sender_52");
  assert.ok(told.message.includes("sender_52"));
  assert.deepEqual(lastErrorOf("NETWORK", "sender_52"), lastErrorOf("NETWORK"));
  const lost = then(online(), {
    type: "login_closed",
    cause: { origin: "whatsapp", code: 440 },
    rival: "sender_52",
  });
  assert.deepEqual(lost.snapshot.session.lastError, told);
});

Deno.test("judge() believes what a conflict is about before the code beside it", () => {
  const conflict = (kind: string, code: number) =>
    judge({ origin: "whatsapp", code, tag: "conflict", kind }).kind;
  assert.equal(conflict("device_removed", 440), "logged_out");
  assert.equal(conflict("replaced", 401), "unrecoverable");
  assert.equal(conflict("unheard_of", 401), "logged_out");
});

Deno.test("transition() ignores what a login's socket reports that is over, whatever is shown", () => {
  for (const place of [created(), showingQr(), showingQr(dropped()), scanned(dropped())]) {
    for (const report of [closedBy(401), closed({ origin: "worker" }), socketConnected]) {
      assert.equal(then(place, report).snapshot, place.snapshot);
    }
  }
  const place = returning();
  assert.equal(then(place, unpairedBy(403)).snapshot, place.snapshot);
});
