import assert from "node:assert/strict";
import { DISCONNECT_REASONS, FAULT_CODES } from "@session-manager/contract";
import { isAtRest } from "../../domain/life.ts";
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
  assert.deepEqual(created().life.session, {
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
    const { life, now, effects } = showingQr(from);
    assert.equal(life.session.status, "qr_required");
    assert.equal(life.session.lastError, null);
    assert.deepEqual(life.session.qr, {
      status: "generated",
      string: PNG,
      generatedAt: now,
      expiresAt: now + 60_000,
    });
    assert.equal(life.session.updatedAt, now);
    assert.deepEqual(effects, []);
  }
});

Deno.test("transition() becomes qr_required / expired and keeps the instants when a QR's life is over", () => {
  const shown = showingQr();
  const { life } = then(shown, { type: "tick" }, 60_000);
  assert.equal(life.session.status, "qr_required");
  assert.deepEqual(life.session.qr, {
    status: "expired",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
});

Deno.test("transition() becomes connecting / used and adopts the credentials when the QR is scanned", () => {
  const shown = showingQr();
  const paired = then(shown, PAIRED);
  const { life, credentials, now } = paired;
  assert.equal(life.session.status, "connecting");
  assert.deepEqual(life.session.qr, {
    status: "used",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
  assert.equal(life.link, "working");
  assert.equal(life.predecessor, false);
  assert.deepEqual(life.pairing, { kind: "paired", deadline: steadyAt(now) + POLICY.restartMs });
  assert.deepEqual(life.login, { kind: "idle" });
  assert.deepEqual(credentials, { kind: "adopt", credentials: "{}", keys: [], retiredId: RETIRED });
  assert.deepEqual(paired.effects, []);
});

Deno.test("transition() becomes connecting / used when a socket opens with credentials that a QR brought", () => {
  const turn = returning();
  assert.equal(turn.life.session.status, "connecting");
  assert.equal(turn.life.session.qr.status, "used");
  assert.deepEqual(turn.life.login, {
    kind: "login",
    trouble: { attempts: 1, since: steadyAt(dropped().now) },
    deadline: steadyAt(turn.now) + POLICY.loginMs,
  });
  assert.deepEqual(asked(turn), ["open_login_socket"]);
});

Deno.test("transition() becomes connecting / none when a socket opens and no QR ever linked the session", () => {
  const imported = { ...created(), life: { ...created().life, link: "working" as const } };
  const turn = then(then(imported, { type: "restored" }), { type: "admitted" });
  assert.equal(turn.life.session.status, "connecting");
  assert.deepEqual(turn.life.session.qr, { status: "none" });
});

Deno.test("transition() becomes connected with the number and connected_at when the login succeeds", () => {
  const { life, now, effects } = then(loggingIn(), socketConnected);
  assert.equal(life.session.status, "connected");
  assert.equal(life.session.phoneNumber, PHONE);
  assert.equal(life.session.connectedAt, now);
  assert.equal(life.session.qr.status, "used");
  const stableAt = steadyAt(now) + POLICY.stableMs;
  assert.deepEqual(life.login, { kind: "open", trouble: null, stableAt });
  assert.deepEqual(life.pairing, { kind: "none" });
  assert.deepEqual(effects, []);
});

Deno.test("transition() clears disconnected_at and the error when it is connected again", () => {
  assert.notEqual(queued().life.session.disconnectedAt, null);
  const back = then(returning(), socketConnected);
  assert.equal(back.life.session.disconnectedAt, null);
  assert.equal(back.life.session.lastError, null);
  assert.equal(back.life.session.connectedAt, back.now);
});

Deno.test("transition() keeps the last number known when the login names none", () => {
  const unnamed = { type: "connected", phoneNumber: null, source: "socket" } as const;
  assert.equal(then(loggingIn(), unnamed).life.session.phoneNumber, null);
  assert.equal(then(loggingIn(), unnamed).life.session.status, "connected");
  const back = then(returning(), unnamed);
  assert.equal(back.life.session.phoneNumber, PHONE);
  assert.equal(back.life.session.connectedAt, back.now);
});

for (const reason of DISCONNECT_REASONS) {
  Deno.test(`transition() becomes disconnected with its instant and code when it is disconnected by ${reason}`, () => {
    const { life, now } = then(online(), { type: "disconnected", reason });
    assert.equal(life.session.status, "disconnected");
    assert.equal(life.session.disconnectedAt, now);
    assert.deepEqual(life.session.lastError, lastErrorOf(reason));
    assert.equal(life.session.lastError?.code, reason);
    assert.equal(life.session.phoneNumber, PHONE);
  });
}

Deno.test("transition() erases the credentials and the QR and keeps the number when WhatsApp logs it out", () => {
  const out = then(online(), closedBy(401));
  assert.equal(out.life.session.status, "disconnected");
  assert.equal(out.life.session.lastError?.code, "LOGOUT");
  assert.deepEqual(out.life.session.qr, { status: "none" });
  assert.equal(out.life.session.phoneNumber, PHONE);
  assert.equal(out.life.link, "none");
  assert.ok(isAtRest(out.life));
  assert.deepEqual(asked(out), ["erase"]);
});

for (const code of FAULT_CODES) {
  Deno.test(`transition() becomes error with code and sentence when the fault is ${code}`, () => {
    const { life } = failed(code);
    assert.equal(life.session.status, "error");
    assert.deepEqual(life.session.lastError, lastErrorOf(code));
    assert.equal(life.session.lastError?.code, code);
    assert.notEqual(life.session.qr.status, "generated");
    assert.ok(isAtRest(life));
  });
}

Deno.test("transition() suspends the login when using it again would only do harm", () => {
  for (const code of ["LOGGED_IN_ELSEWHERE", "ACCOUNT_FORBIDDEN", "MULTIDEVICE_MISMATCH"] as const) {
    assert.equal(failed(code).life.link, "suspended");
    const contested = code === "LOGGED_IN_ELSEWHERE";
    assert.deepEqual(failed(code).credentials, { kind: "suspend", contested });
    assert.deepEqual(failed(code).effects, []);
  }
});

Deno.test("transition() keeps the login when the fault is mended from outside", () => {
  assert.equal(failed("CLIENT_OUTDATED").life.link, "working");
  assert.deepEqual(asked(failed("CLIENT_OUTDATED")), []);
  assert.equal(failed("CREDENTIALS_UNREADABLE").life.link, "working");
  assert.deepEqual(failed("CREDENTIALS_UNREADABLE").effects, [{ type: "close_login_socket", unlink: false }]);
});

Deno.test("transition() closes the pairing socket when the account demands a passkey", () => {
  assert.deepEqual(asked(failed("PASSKEY_REQUIRED")), ["close_pairing_socket"]);
  assert.equal(failed("PASSKEY_REQUIRED").life.session.qr.status, "expired");
});

Deno.test("transition() goes on to the login, never disconnected, when the 515 follows a pairing", () => {
  const next = then(scanned(), unpairedBy(515));
  assert.equal(next.life.session.status, "connecting");
  assert.equal(next.life.session.disconnectedAt, null);
  const deadline = steadyAt(next.now) + POLICY.loginMs;
  assert.deepEqual(next.life.login, { kind: "login", trouble: null, deadline });
  assert.deepEqual(next.life.pairing, { kind: "none" });
  assert.deepEqual(asked(next), ["open_login_socket"]);
});

Deno.test("transition() goes on to the login when the pairing socket ends by another cause than 515", () => {
  for (const event of [unpairedBy(428), unpaired({ origin: "worker" }), unpaired({ origin: "network" })]) {
    const next = then(scanned(), event);
    assert.equal(next.life.session.status, "connecting");
    assert.deepEqual(asked(next), ["open_login_socket"]);
  }
});

Deno.test("transition() believes WhatsApp when it takes a pairing back immediately", () => {
  const out = then(scanned(), unpairedBy(401));
  assert.equal(out.life.session.lastError?.code, "LOGOUT");
  assert.deepEqual(asked(out), ["erase"]);
  const refused = then(scanned(), unpairedBy(403));
  assert.equal(refused.life.session.lastError?.code, "ACCOUNT_FORBIDDEN");
  assert.deepEqual(asked(refused), ["suspend"]);
});

Deno.test("transition() changes nothing when a socket's late report no longer concerns the session", () => {
  const late = [PAIRED, { type: "passkey_demanded" }, qr(T0), unpairedBy(515)] as const;
  for (const place of [created(), loggingIn(), online(), dropped()]) {
    for (const report of [...late, ...(place.life.login.kind === "login" ? [] : [socketConnected])]) {
      const next = then(place, report);
      assert.equal(next.life, place.life);
      assert.deepEqual(next.effects, []);
    }
  }
  for (const place of [created(), pairing(), showingQr(), scanned(), dropped(), queued()]) {
    assert.equal(then(place, closedBy(401)).life, place.life);
  }
  for (const place of [created(), pairing(), showingQr(), scanned(), loggingIn(), online(), dropped()]) {
    assert.equal(then(place, { type: "admitted" }).life, place.life);
  }
});

Deno.test("transition() changes nothing when time passes and nothing was waited for", () => {
  for (const place of [created(), online(), failed("ACCOUNT_FORBIDDEN")]) {
    assert.equal(then(place, { type: "tick" }, 10 ** 9).life, place.life);
  }
});
