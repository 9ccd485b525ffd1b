import assert from "node:assert/strict";
import { DISCONNECT_REASONS } from "@session-manager/contract";
import type { Effect, SessionEvent } from "../../domain/events.ts";
import { hasLoginSocket, hasPairingSocket, isAtRest } from "../../domain/snapshot.ts";
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
  restarted,
  RETIRED,
  returning,
  scanned,
  showingQr,
  showingQrOverFailure,
  showingQrWhileReturning,
  socketConnected,
  then,
} from "./journeys.ts";
import { KEEP } from "../../domain/credentials.ts";

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
  "showing a QR while its login is opening": showingQrWhileReturning(),
  "showing a QR over a login that is suspended": showingQrOverFailure(403),
  "showing a QR over a login that an update may mend": showingQrOverFailure(405),
  scanned: scanned(),
  "scanned, an older login being held": scanned(dropped()),
  "logging in, an older login being held": loggingIn(dropped()),
  "logging in": loggingIn(),
  connected: online(),
  waiting: dropped(),
  queued: queued(),
  "in error": failed("LOGGED_IN_ELSEWHERE"),
};
const EVENTS = [reportedConnected, ...DISCONNECT_REASONS.map(reported)];

for (const [where, place] of Object.entries(PLACES)) {
  Deno.test(`transition() becomes connected when the system says so while ${where}`, () => {
    const { snapshot, now } = then(place, reportedConnected);
    assert.equal(snapshot.session.status, "connected");
    assert.equal(snapshot.session.phoneNumber, PHONE);
    assert.equal(snapshot.session.disconnectedAt, null);
    assert.equal(snapshot.session.lastError, null);
    assert.notEqual(snapshot.session.qr.status, "generated");
    const first = place.snapshot.session.status === "connected" ? place.snapshot.session.connectedAt : now;
    assert.equal(snapshot.session.connectedAt, first);
  });

  Deno.test(`transition() closes its sockets and retires the logins when told LOGOUT while ${where}`, () => {
    const out = then(place, reported("LOGOUT"));
    const expected: Effect[] = [];
    if (hasPairingSocket(place.snapshot)) expected.push({ type: "close_pairing_socket" });
    if (hasLoginSocket(place.snapshot)) expected.push({ type: "close_login_socket", unlink: true });
    assert.deepEqual(out.effects, expected);
    const had = place.snapshot.link !== "none";
    assert.deepEqual(out.credentials, had ? { kind: "retire", retiredId: RETIRED } : KEEP);
    assert.equal(out.snapshot.predecessor, false);
    assert.equal(out.snapshot.session.status, "disconnected");
    assert.deepEqual(out.snapshot.session.qr, { status: "none" });
    assert.equal(out.snapshot.link, "none");
    assert.ok(isAtRest(out.snapshot));
    assert.equal(out.snapshot.session.phoneNumber, place.snapshot.session.phoneNumber);
  });

  Deno.test(`transition() changes nothing when an internal event is repeated while ${where}`, () => {
    for (const event of EVENTS) {
      const once = then(place, event);
      const twice = then(once, event, 60_000);
      assert.equal(twice.snapshot, once.snapshot);
      assert.deepEqual(twice.effects, []);
    }
  });
}

Deno.test("transition() closes the pairing socket when the system says that the session is connected", () => {
  const alone = then(showingQr(), reportedConnected);
  assert.deepEqual(alone.effects, [{ type: "close_pairing_socket" }]);
  assert.equal(alone.snapshot.session.qr.status, "used");
  assert.ok(isAtRest(alone.snapshot));
  for (const place of [showingQr(dropped()), showingQrWhileReturning()]) {
    const linked = then(place, reportedConnected);
    assert.deepEqual(linked.effects, [{ type: "close_pairing_socket" }]);
    assert.equal(linked.snapshot.login, place.snapshot.login);
    assert.deepEqual(linked.snapshot.pairing, { kind: "none" });
  }
});

Deno.test("transition() changes nothing when told connected while a socket of the session is being torn down", () => {
  for (const [where, place] of Object.entries(PLACES)) {
    const told = then(place, reportedConnected, 1_000, { tearingDown: true });
    assert.equal(told.snapshot, place.snapshot, where);
    assert.deepEqual(told.effects, []);
  }
});

Deno.test("transition() believes a login's own socket while another one is being torn down", () => {
  const back = then(returning(), socketConnected, 1_000, { tearingDown: true });
  assert.equal(back.snapshot.session.status, "connected");
  assert.equal(back.snapshot.login.kind, "open");
});

Deno.test("transition() believes every other report while a socket of the session is being torn down", () => {
  for (const reason of DISCONNECT_REASONS) {
    assert.deepEqual(
      then(online(), reported(reason), 1_000, { tearingDown: true }),
      then(online(), reported(reason)),
    );
  }
});

Deno.test("transition() closes no socket when the system says connected and the socket does not only show a QR", () => {
  for (const place of [scanned(), loggingIn(), online(), dropped(), queued()]) {
    const told = then(place, reportedConnected);
    assert.deepEqual(told.effects, []);
    assert.equal(told.snapshot.login, place.snapshot.login);
    assert.equal(told.snapshot.pairing, place.snapshot.pairing);
  }
});

Deno.test("transition() takes the new number and instant when connected comes with another number", () => {
  const other = then(online(), { type: "connected", phoneNumber: "+5491155550002", source: "internal" });
  assert.equal(other.snapshot.session.phoneNumber, "+5491155550002");
  assert.equal(other.snapshot.session.connectedAt, other.now);
});

for (const reason of ["NETWORK", "TIMEOUT", "UNKNOWN"] as const) {
  Deno.test(`transition() closes the socket and waits to reconnect when told ${reason} with a working login`, () => {
    for (const place of [scanned(), loggingIn(), online(), showingQrWhileReturning()]) {
      const told = then(place, reported(reason));
      assert.equal(told.snapshot.session.lastError?.code, reason);
      const closes: Effect[] = [
        ...(hasPairingSocket(place.snapshot) ? [{ type: "close_pairing_socket" } as const] : []),
        ...(hasLoginSocket(place.snapshot) ? [{ type: "close_login_socket", unlink: false } as const] : []),
      ];
      assert.deepEqual(told.effects, closes);
      assert.equal(told.snapshot.login.kind === "waiting" && told.snapshot.login.reason, reason);
      assert.deepEqual(told.snapshot.pairing, { kind: "none" });
      assert.equal(told.snapshot.link, "working");
    }
  });
}

Deno.test("transition() closes the socket and rests when told NETWORK while showing a QR without a login", () => {
  const told = then(showingQr(), reported("NETWORK"));
  assert.equal(told.snapshot.session.status, "disconnected");
  assert.equal(told.snapshot.session.qr.status, "expired");
  assert.deepEqual(asked(told), ["close_pairing_socket"]);
  assert.ok(isAtRest(told.snapshot));
});

Deno.test("transition() keeps its plan when told NETWORK while it waits or has asked for its turn", () => {
  for (const place of [dropped(), queued(), restarted(online()), showingQr(dropped())]) {
    const told = then(place, reported("TIMEOUT"));
    assert.equal(told.snapshot.session.lastError?.code, "TIMEOUT");
    assert.equal(told.snapshot.login, place.snapshot.login);
    assert.deepEqual(told.snapshot.pairing, { kind: "none" });
    assert.deepEqual(asked(told), hasPairingSocket(place.snapshot) ? ["close_pairing_socket"] : []);
  }
});

Deno.test("transition() is only written down as disconnected when told so without a login or a socket", () => {
  const told = then(created(), reported("UNKNOWN"));
  assert.equal(told.snapshot.session.status, "disconnected");
  assert.ok(isAtRest(told.snapshot));
  assert.deepEqual(told.effects, []);
});

Deno.test("transition() stays in error when told of another disconnection than LOGOUT", () => {
  const place = failed("ACCOUNT_FORBIDDEN");
  assert.equal(then(place, reported("NETWORK")).snapshot, place.snapshot);
  // A pairing socket that has shown nothing yet is closed all the same, and a login that would still
  // work is not taken up: the way out of `error` is a QR.
  for (const error of [place, failed("CLIENT_OUTDATED")]) {
    const told = then(pairing(error), reported("NETWORK"));
    assert.equal(told.snapshot.session, error.snapshot.session);
    assert.deepEqual(asked(told), ["close_pairing_socket"]);
    assert.ok(isAtRest(told.snapshot));
  }
});

Deno.test("transition() retires a login that cannot be used and one that is held, as well as the one in use", () => {
  const suspended = failed("LOGGED_IN_ELSEWHERE");
  assert.deepEqual(asked(then(suspended, reported("LOGOUT"))), ["retire"]);
  const refused = then(loggingIn(dropped()), closedBy(405));
  assert.equal(refused.snapshot.predecessor, true);
  const out = then(refused, reported("LOGOUT"));
  assert.deepEqual(asked(out), ["retire"]);
  assert.equal(out.snapshot.predecessor, false);
});

Deno.test("transition() changes nothing when told LOGOUT after WhatsApp has said the same", () => {
  const out = then(online(), closedBy(401));
  assert.equal(then(out, reported("LOGOUT")).snapshot, out.snapshot);
});
