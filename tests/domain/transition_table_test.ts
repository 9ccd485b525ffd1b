import assert from "node:assert/strict";
import { DISCONNECT_REASONS, FAULT_CODES } from "@session-manager/contract";
import { isAtRest } from "../../domain/snapshot.ts";
import { lastErrorOf } from "../../domain/errors.ts";
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
  PNG,
  POLICY,
  qr,
  queued,
  RETIRED,
  returning,
  scanned,
  showingQr,
  socketConnected,
  steadyAt,
  T0,
  then,
  unpaired,
  unpairedBy,
} from "./journeys.ts";
import { PAIRED } from "./arbitraries.ts";

Deno.test("createSession() makes init / none with nothing known when a session is created", () => {
  assert.deepEqual(created().snapshot.session, {
    instanceId: "sender_51",
    phoneNumber: null,
    connectedAt: null,
    disconnectedAt: null,
    createdAt: T0,
    updatedAt: T0,
    status: "init",
    qr: { status: "none" },
    lastError: null,
  });
});

Deno.test("transition() becomes qr_required / generated and clears the error when the socket shows a QR", () => {
  for (const from of [created(), dropped(), ...FAULT_CODES.map(failed)]) {
    const { snapshot, now, effects } = showingQr(from);
    assert.equal(snapshot.session.status, "qr_required");
    assert.equal(snapshot.session.lastError, null);
    assert.deepEqual(snapshot.session.qr, {
      status: "generated",
      string: PNG,
      generatedAt: now,
      expiresAt: now + 60_000,
    });
    assert.equal(snapshot.session.updatedAt, now);
    assert.deepEqual(effects, []);
  }
});

Deno.test("transition() becomes qr_required / expired and keeps the instants when a QR's life is over", () => {
  const shown = showingQr();
  const { snapshot } = then(shown, { type: "tick" }, 60_000);
  assert.equal(snapshot.session.status, "qr_required");
  assert.deepEqual(snapshot.session.qr, {
    status: "expired",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
});

Deno.test("transition() becomes connecting / used and adopts the credentials when the QR is scanned", () => {
  const shown = showingQr();
  const paired = then(shown, PAIRED);
  const { snapshot, credentials, now } = paired;
  assert.equal(snapshot.session.status, "connecting");
  assert.deepEqual(snapshot.session.qr, {
    status: "used",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
  assert.equal(snapshot.link, "working");
  assert.equal(snapshot.predecessor, false);
  assert.deepEqual(snapshot.pairing, { kind: "paired", deadline: steadyAt(now) + POLICY.restartMs });
  assert.deepEqual(snapshot.login, { kind: "idle" });
  assert.deepEqual(credentials, { kind: "adopt", credentials: "{}", keys: [], retiredId: RETIRED });
  assert.deepEqual(paired.effects, []);
});

Deno.test("transition() becomes connecting / used when a socket opens with credentials that a QR brought", () => {
  const turn = returning();
  assert.equal(turn.snapshot.session.status, "connecting");
  assert.equal(turn.snapshot.session.qr.status, "used");
  assert.deepEqual(turn.snapshot.login, {
    kind: "login",
    failures: { attempts: 1, since: steadyAt(dropped().now) },
    deadline: steadyAt(turn.now) + POLICY.loginMs,
  });
  assert.deepEqual(asked(turn), ["open_login_socket"]);
});

Deno.test("transition() becomes connecting / none when a socket opens and no QR ever linked the session", () => {
  const imported = { ...created(), snapshot: { ...created().snapshot, link: "working" as const } };
  const turn = then(then(imported, { type: "restored" }), { type: "admitted" });
  assert.equal(turn.snapshot.session.status, "connecting");
  assert.deepEqual(turn.snapshot.session.qr, { status: "none" });
});

Deno.test("transition() becomes connected with the number and connected_at when the login succeeds", () => {
  const { snapshot, now, effects } = then(loggingIn(), socketConnected);
  assert.equal(snapshot.session.status, "connected");
  assert.equal(snapshot.session.phoneNumber, PHONE);
  assert.equal(snapshot.session.connectedAt, now);
  assert.equal(snapshot.session.qr.status, "used");
  const stableAt = steadyAt(now) + POLICY.stableMs;
  assert.deepEqual(snapshot.login, { kind: "open", failures: null, stableAt });
  assert.deepEqual(snapshot.pairing, { kind: "none" });
  assert.deepEqual(effects, []);
});

Deno.test("transition() clears disconnected_at and the error when it is connected again", () => {
  assert.notEqual(queued().snapshot.session.disconnectedAt, null);
  const back = then(returning(), socketConnected);
  assert.equal(back.snapshot.session.disconnectedAt, null);
  assert.equal(back.snapshot.session.lastError, null);
  assert.equal(back.snapshot.session.connectedAt, back.now);
});

Deno.test("transition() keeps the last number known when the login names none", () => {
  const unnamed = { type: "connected", phoneNumber: null, source: "socket" } as const;
  assert.equal(then(loggingIn(), unnamed).snapshot.session.phoneNumber, null);
  assert.equal(then(loggingIn(), unnamed).snapshot.session.status, "connected");
  const back = then(returning(), unnamed);
  assert.equal(back.snapshot.session.phoneNumber, PHONE);
  assert.equal(back.snapshot.session.connectedAt, back.now);
});

for (const reason of DISCONNECT_REASONS) {
  Deno.test(`transition() becomes disconnected with its instant and code when it is disconnected by ${reason}`, () => {
    const { snapshot, now } = then(online(), { type: "disconnected", reason });
    assert.equal(snapshot.session.status, "disconnected");
    assert.equal(snapshot.session.disconnectedAt, now);
    assert.deepEqual(snapshot.session.lastError, lastErrorOf(reason));
    assert.equal(snapshot.session.lastError?.code, reason);
    assert.equal(snapshot.session.phoneNumber, PHONE);
  });
}

Deno.test("transition() erases the credentials and the QR and keeps the number when WhatsApp logs it out", () => {
  const out = then(online(), closedBy(401));
  assert.equal(out.snapshot.session.status, "disconnected");
  assert.equal(out.snapshot.session.lastError?.code, "LOGOUT");
  assert.deepEqual(out.snapshot.session.qr, { status: "none" });
  assert.equal(out.snapshot.session.phoneNumber, PHONE);
  assert.equal(out.snapshot.link, "none");
  assert.ok(isAtRest(out.snapshot));
  assert.deepEqual(asked(out), ["erase"]);
});

for (const code of FAULT_CODES) {
  Deno.test(`transition() becomes error with code and sentence when the fault is ${code}`, () => {
    const { snapshot } = failed(code);
    assert.equal(snapshot.session.status, "error");
    assert.deepEqual(snapshot.session.lastError, lastErrorOf(code));
    assert.equal(snapshot.session.lastError?.code, code);
    assert.notEqual(snapshot.session.qr.status, "generated");
    assert.ok(isAtRest(snapshot));
  });
}

Deno.test("transition() suspends the login when using it again would only do harm", () => {
  for (const code of ["LOGGED_IN_ELSEWHERE", "ACCOUNT_FORBIDDEN", "MULTIDEVICE_MISMATCH"] as const) {
    assert.equal(failed(code).snapshot.link, "suspended");
    const contested = code === "LOGGED_IN_ELSEWHERE";
    assert.deepEqual(failed(code).credentials, { kind: "suspend", contested });
    assert.deepEqual(failed(code).effects, []);
  }
});

Deno.test("transition() keeps the login when the fault is mended from outside", () => {
  assert.equal(failed("CLIENT_OUTDATED").snapshot.link, "working");
  assert.deepEqual(asked(failed("CLIENT_OUTDATED")), []);
  assert.equal(failed("CREDENTIALS_UNREADABLE").snapshot.link, "working");
  assert.deepEqual(failed("CREDENTIALS_UNREADABLE").effects, [{ type: "close_login_socket", unlink: false }]);
});

Deno.test("transition() closes the pairing socket when the account demands a passkey", () => {
  assert.deepEqual(asked(failed("PASSKEY_REQUIRED")), ["close_pairing_socket"]);
  assert.equal(failed("PASSKEY_REQUIRED").snapshot.session.qr.status, "expired");
});

Deno.test("transition() goes on to the login, never disconnected, when the 515 follows a pairing", () => {
  const next = then(scanned(), unpairedBy(515));
  assert.equal(next.snapshot.session.status, "connecting");
  assert.equal(next.snapshot.session.disconnectedAt, null);
  const deadline = steadyAt(next.now) + POLICY.loginMs;
  assert.deepEqual(next.snapshot.login, { kind: "login", failures: null, deadline });
  assert.deepEqual(next.snapshot.pairing, { kind: "none" });
  assert.deepEqual(asked(next), ["open_login_socket"]);
});

Deno.test("transition() goes on to the login when the pairing socket ends by another cause than 515", () => {
  for (const event of [unpairedBy(428), unpaired({ origin: "worker" }), unpaired({ origin: "network" })]) {
    const next = then(scanned(), event);
    assert.equal(next.snapshot.session.status, "connecting");
    assert.deepEqual(asked(next), ["open_login_socket"]);
  }
});

Deno.test("transition() believes WhatsApp when it takes a pairing back immediately", () => {
  const out = then(scanned(), unpairedBy(401));
  assert.equal(out.snapshot.session.lastError?.code, "LOGOUT");
  assert.deepEqual(asked(out), ["erase"]);
  const refused = then(scanned(), unpairedBy(403));
  assert.equal(refused.snapshot.session.lastError?.code, "ACCOUNT_FORBIDDEN");
  assert.deepEqual(asked(refused), ["suspend"]);
});

Deno.test("transition() changes nothing when a socket's late report no longer concerns the session", () => {
  const late = [PAIRED, { type: "passkey_demanded" }, qr(T0), unpairedBy(515)] as const;
  for (const place of [created(), loggingIn(), online(), dropped()]) {
    for (const report of [...late, ...(place.snapshot.login.kind === "login" ? [] : [socketConnected])]) {
      const next = then(place, report);
      assert.equal(next.snapshot, place.snapshot);
      assert.deepEqual(next.effects, []);
    }
  }
  for (const place of [created(), pairing(), showingQr(), scanned(), dropped(), queued()]) {
    assert.equal(then(place, closedBy(401)).snapshot, place.snapshot);
  }
  for (const place of [created(), pairing(), showingQr(), scanned(), loggingIn(), online(), dropped()]) {
    assert.equal(then(place, { type: "admitted" }).snapshot, place.snapshot);
  }
});

Deno.test("transition() changes nothing when time passes and nothing was waited for", () => {
  for (const place of [created(), online(), failed("ACCOUNT_FORBIDDEN")]) {
    assert.equal(then(place, { type: "tick" }, 10 ** 9).snapshot, place.snapshot);
  }
});
