import assert from "node:assert/strict";
import { DISCONNECT_REASONS, type SessionEvent } from "../../domain/mod.ts";
import {
  asked,
  closedBy,
  created,
  dropped,
  failed,
  loggingIn,
  online,
  pairing,
  PHONE,
  type Place,
  queued,
  reportedConnected,
  scanned,
  showingQr,
  then,
} from "./journeys.ts";

const reported = (reason: typeof DISCONNECT_REASONS[number]): SessionEvent => ({
  type: "disconnected",
  reason,
});

/** Every place that an internal event can find a session in. */
const PLACES: Readonly<Record<string, Place>> = {
  created: created(),
  pairing: pairing(),
  "showing a QR": showingQr(),
  "showing a QR over a login that works": showingQr(dropped()),
  scanned: scanned(),
  "logging in": loggingIn(),
  connected: online(),
  waiting: dropped(),
  queued: queued(),
  "in error": failed("LOGGED_IN_ELSEWHERE"),
};
const EVENTS = [reportedConnected, ...DISCONNECT_REASONS.map(reported)];

for (const [where, place] of Object.entries(PLACES)) {
  Deno.test(`transition() becomes connected when the system says so while ${where}`, () => {
    const { life, now } = then(place, reportedConnected);
    assert.equal(life.session.status, "connected");
    assert.equal(life.session.phoneNumber, PHONE);
    assert.equal(life.session.disconnectedAt, null);
    assert.equal(life.session.lastError, null);
    assert.notEqual(life.session.qr.status, "generated");
    const first = place.life.session.status === "connected" ? place.life.session.connectedAt : now;
    assert.equal(life.session.connectedAt, first);
  });

  Deno.test(`transition() closes the socket and erases the credentials when told LOGOUT while ${where}`, () => {
    const had = ["pairing", "paired", "login", "open"].includes(place.life.activity.kind);
    const out = then(place, reported("LOGOUT"));
    const erased = place.life.link === "none" ? [] : ["erase_credentials"];
    assert.deepEqual(asked(out), [...(had ? ["close_socket"] : []), ...erased]);
    assert.equal(out.life.session.status, "disconnected");
    assert.deepEqual(out.life.session.qr, { status: "none" });
    assert.equal(out.life.link, "none");
    assert.deepEqual(out.life.activity, { kind: "idle" });
    assert.equal(out.life.session.phoneNumber, place.life.session.phoneNumber);
  });

  Deno.test(`transition() changes nothing when an internal event is repeated while ${where}`, () => {
    for (const event of EVENTS) {
      const once = then(place, event);
      const twice = then(once, event, 60_000);
      assert.equal(twice.life, once.life);
      assert.deepEqual(twice.effects, []);
    }
  });
}

Deno.test("transition() closes the pairing socket when the system says that the session is connected", () => {
  const alone = then(showingQr(), reportedConnected);
  assert.deepEqual(alone.effects, [{ type: "close_socket", unlink: false }]);
  assert.equal(alone.life.session.qr.status, "used");
  assert.deepEqual(alone.life.activity, { kind: "idle" });
  const linked = then(showingQr(dropped()), reportedConnected);
  assert.deepEqual(asked(linked), ["close_socket"]);
  assert.equal(linked.life.activity.kind, "waiting");
});

Deno.test("transition() closes no socket when the system says connected and the socket does not only show a QR", () => {
  for (const place of [scanned(), loggingIn(), online(), dropped(), queued()]) {
    const told = then(place, reportedConnected);
    assert.deepEqual(told.effects, []);
    assert.equal(told.life.activity, place.life.activity);
  }
});

Deno.test("transition() takes the new number and instant when connected comes with another number", () => {
  const other = then(online(), { type: "connected", phoneNumber: "+5491155550002", source: "internal" });
  assert.equal(other.life.session.phoneNumber, "+5491155550002");
  assert.equal(other.life.session.connectedAt, other.now);
});

for (const reason of ["NETWORK", "TIMEOUT", "UNKNOWN"] as const) {
  Deno.test(`transition() closes the socket and waits to reconnect when told ${reason} with a working login`, () => {
    for (const place of [scanned(), loggingIn(), online()]) {
      const told = then(place, reported(reason));
      assert.equal(told.life.session.lastError?.code, reason);
      assert.deepEqual(told.effects, [{ type: "close_socket", unlink: false }]);
      assert.equal(told.life.activity.kind, "waiting");
      assert.equal(told.life.link, "working");
    }
  });
}

Deno.test("transition() closes the socket and rests when told NETWORK while showing a QR without a login", () => {
  const told = then(showingQr(), reported("NETWORK"));
  assert.equal(told.life.session.status, "disconnected");
  assert.equal(told.life.session.qr.status, "expired");
  assert.deepEqual(asked(told), ["close_socket"]);
  assert.deepEqual(told.life.activity, { kind: "idle" });
});

Deno.test("transition() keeps its plan when told NETWORK while it waits or has asked for its turn", () => {
  for (const place of [dropped(), queued()]) {
    const told = then(place, reported("TIMEOUT"));
    assert.equal(told.life.session.lastError?.code, "TIMEOUT");
    assert.equal(told.life.activity, place.life.activity);
    assert.deepEqual(told.effects, []);
  }
});

Deno.test("transition() is only written down as disconnected when told so without a login or a socket", () => {
  const told = then(created(), reported("UNKNOWN"));
  assert.equal(told.life.session.status, "disconnected");
  assert.deepEqual(told.life.activity, { kind: "idle" });
  assert.deepEqual(told.effects, []);
});

Deno.test("transition() stays in error when told of another disconnection than LOGOUT", () => {
  const place = failed("ACCOUNT_FORBIDDEN");
  assert.equal(then(place, reported("NETWORK")).life, place.life);
  // A pairing socket that has shown nothing yet is closed all the same, and a login that would still
  // work is not taken up: the way out of `error` is a QR.
  for (const error of [place, failed("CLIENT_OUTDATED")]) {
    const told = then(pairing(error), reported("NETWORK"));
    assert.equal(told.life.session, error.life.session);
    assert.deepEqual(asked(told), ["close_socket"]);
    assert.deepEqual(told.life.activity, { kind: "idle" });
  }
});

Deno.test("transition() tells WhatsApp of a LOGOUT only when the socket is a login's", () => {
  for (const [place, unlink] of [[online(), true], [loggingIn(), true], [showingQr(), false]] as const) {
    assert.deepEqual(then(place, reported("LOGOUT")).effects[0], { type: "close_socket", unlink });
  }
});

Deno.test("transition() changes nothing when told LOGOUT after WhatsApp has said the same", () => {
  const out = then(online(), closedBy(401));
  assert.equal(then(out, reported("LOGOUT")).life, out.life);
});
