import assert from "node:assert/strict";
import { DISCONNECT_REASONS, FAULT_CODES, lastErrorOf } from "../../domain/mod.ts";
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
  PHONE,
  PNG,
  POLICY,
  qr,
  queued,
  scanned,
  showingQr,
  socketConnected,
  T0,
  then,
} from "./journeys.ts";

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
  const { life, effects, now } = then(shown, { type: "paired" });
  assert.equal(life.session.status, "connecting");
  assert.deepEqual(life.session.qr, {
    status: "used",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
  assert.equal(life.link, "working");
  assert.deepEqual(life.activity, { kind: "paired", deadline: now + POLICY.restartMs });
  assert.deepEqual(effects, [{ type: "adopt_credentials" }]);
});

Deno.test("transition() becomes connecting / used when a socket opens with credentials that a QR brought", () => {
  const turn = then(queued(), { type: "admitted" });
  assert.equal(turn.life.session.status, "connecting");
  assert.equal(turn.life.session.qr.status, "used");
  assert.deepEqual(turn.life.activity, { kind: "login", attempt: 1, deadline: turn.now + POLICY.loginMs });
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
  assert.deepEqual(life.activity, { kind: "open", attempt: 0, stableAt: now + POLICY.stableMs });
  assert.deepEqual(effects, []);
});

Deno.test("transition() clears disconnected_at and the error when it is connected again", () => {
  const lost = queued();
  assert.notEqual(lost.life.session.disconnectedAt, null);
  const back = then(then(lost, { type: "admitted" }), socketConnected);
  assert.equal(back.life.session.disconnectedAt, null);
  assert.equal(back.life.session.lastError, null);
  assert.equal(back.life.session.connectedAt, back.now);
});

Deno.test("transition() keeps the last number known when the login names none", () => {
  const unnamed = { type: "connected", phoneNumber: null, source: "socket" } as const;
  assert.equal(then(loggingIn(), unnamed).life.session.phoneNumber, null);
  assert.equal(then(loggingIn(), unnamed).life.session.status, "connected");
  const back = then(then(queued(), { type: "admitted" }), unnamed);
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
  assert.deepEqual(out.life.activity, { kind: "idle" });
  assert.deepEqual(asked(out), ["erase_credentials"]);
});

for (const code of FAULT_CODES) {
  Deno.test(`transition() becomes error with code and sentence when the fault is ${code}`, () => {
    const { life } = failed(code);
    assert.equal(life.session.status, "error");
    assert.deepEqual(life.session.lastError, lastErrorOf(code));
    assert.equal(life.session.lastError?.code, code);
    assert.notEqual(life.session.qr.status, "generated");
    assert.deepEqual(life.activity, { kind: "idle" });
  });
}

Deno.test("transition() suspends the login when using it again would only do harm", () => {
  for (const code of ["LOGGED_IN_ELSEWHERE", "ACCOUNT_FORBIDDEN", "MULTIDEVICE_MISMATCH"] as const) {
    assert.equal(failed(code).life.link, "suspended");
    assert.deepEqual(asked(failed(code)), ["suspend_credentials"]);
  }
});

Deno.test("transition() keeps the login when the fault is mended from outside", () => {
  assert.equal(failed("CLIENT_OUTDATED").life.link, "working");
  assert.deepEqual(asked(failed("CLIENT_OUTDATED")), []);
  assert.equal(failed("CREDENTIALS_UNREADABLE").life.link, "working");
  assert.deepEqual(asked(failed("CREDENTIALS_UNREADABLE")), ["close_socket"]);
});

Deno.test("transition() closes the pairing socket when the account demands a passkey", () => {
  assert.deepEqual(asked(failed("PASSKEY_REQUIRED")), ["close_socket"]);
  assert.equal(failed("PASSKEY_REQUIRED").life.session.qr.status, "expired");
});

Deno.test("transition() goes on to the login, never disconnected, when the 515 follows a pairing", () => {
  const next = then(scanned(), closedBy(515));
  assert.equal(next.life.session.status, "connecting");
  assert.equal(next.life.session.disconnectedAt, null);
  assert.deepEqual(next.life.activity, { kind: "login", attempt: 0, deadline: next.now + POLICY.loginMs });
  assert.deepEqual(asked(next), ["open_login_socket"]);
});

Deno.test("transition() goes on to the login when the pairing socket ends by another cause than 515", () => {
  for (const event of [closedBy(428), closed({ origin: "worker" }), closed({ origin: "network" })]) {
    const next = then(scanned(), event);
    assert.equal(next.life.session.status, "connecting");
    assert.deepEqual(asked(next), ["open_login_socket"]);
  }
});

Deno.test("transition() believes WhatsApp when it takes a pairing back at once", () => {
  const out = then(scanned(), closedBy(401));
  assert.equal(out.life.session.lastError?.code, "LOGOUT");
  assert.deepEqual(asked(out), ["erase_credentials"]);
  const refused = then(scanned(), closedBy(403));
  assert.equal(refused.life.session.lastError?.code, "ACCOUNT_FORBIDDEN");
  assert.deepEqual(asked(refused), ["suspend_credentials"]);
});

Deno.test("transition() is disconnected, waits, connects and is connected when a working login drops", () => {
  const drop = then(online(), closedBy(503));
  assert.equal(drop.life.session.status, "disconnected");
  assert.equal(drop.life.session.lastError?.code, "NETWORK");
  // Half of the first delay's bound, for a random of one half.
  assert.deepEqual(drop.life.activity, { kind: "waiting", attempt: 1, until: drop.now + 1_000 });
  const early = then(drop, { type: "tick" }, 999);
  assert.equal(early.life, drop.life);
  const turn = then(drop, { type: "tick" }, 1_000);
  assert.deepEqual(asked(turn), ["ask_admission"]);
  assert.equal(turn.life.session.status, "disconnected");
  const login = then(turn, { type: "admitted" });
  assert.equal(login.life.session.status, "connecting");
  // Only a QR or the connection itself takes back what was said of the drop.
  assert.equal(login.life.session.lastError?.code, "NETWORK");
  assert.equal(then(login, socketConnected).life.session.status, "connected");
});

Deno.test("transition() waits longer after each failure, and as at first when a connection has held", () => {
  let place = then(queued(), { type: "admitted" });
  for (const attempt of [2, 3, 4]) {
    const lost = then(place, closedBy(428));
    const until = lost.now + 500 * 2 ** attempt;
    assert.deepEqual(lost.life.activity, { kind: "waiting", attempt, until });
    place = then(then(lost, { type: "tick" }, POLICY.backoff.capMs), { type: "admitted" });
  }
  const back = then(place, socketConnected);
  assert.equal(then(back, { type: "tick" }, POLICY.stableMs - 1).life, back.life);
  const unstable = then(back, closedBy(428)).life.activity;
  assert.equal(unstable.kind === "waiting" && unstable.attempt, 5);
  const stable = then(back, { type: "tick" }, POLICY.stableMs);
  const first = then(stable, closedBy(428)).life.activity;
  assert.equal(first.kind === "waiting" && first.attempt, 1);
});

Deno.test("transition() logs in again at once when WhatsApp asks an open socket to restart", () => {
  const next = then(online(), closedBy(515));
  assert.equal(next.life.session.status, "connecting");
  assert.deepEqual(next.life.activity, { kind: "login", attempt: 1, deadline: next.now + POLICY.loginMs });
  assert.deepEqual(asked(next), ["open_login_socket"]);
});

Deno.test("transition() is disconnected and waits when WhatsApp asks for a restart in the middle of a login", () => {
  const next = then(loggingIn(), closedBy(515));
  assert.equal(next.life.session.lastError?.code, "UNKNOWN");
  assert.equal(next.life.activity.kind, "waiting");
});

for (
  const [where, place, boundMs] of [
    ["the login does not succeed", loggingIn(), POLICY.loginMs],
    ["the restart after the pairing does not come", scanned(), POLICY.restartMs],
  ] as const
) {
  Deno.test(`transition() is disconnected by TIMEOUT and tried again when ${where} in time`, () => {
    assert.equal(then(place, { type: "tick" }, boundMs - 1).life, place.life);
    const late = then(place, { type: "tick" }, boundMs);
    assert.equal(late.life.session.status, "disconnected");
    assert.equal(late.life.session.lastError?.code, "TIMEOUT");
    assert.equal(late.life.activity.kind, "waiting");
    assert.deepEqual(asked(late), ["close_socket"]);
  });
}

Deno.test("transition() changes nothing when a socket's late word no longer concerns the session", () => {
  const words = [{ type: "paired" }, { type: "passkey_demanded" }, { type: "admitted" }, qr(T0)] as const;
  for (const place of [created(), loggingIn(), online(), dropped()]) {
    for (const word of [...words, ...(place.life.activity.kind === "login" ? [] : [socketConnected])]) {
      const next = then(place, word);
      assert.equal(next.life, place.life);
      assert.deepEqual(next.effects, []);
    }
  }
  for (const place of [created(), dropped(), queued()]) {
    assert.equal(then(place, closedBy(401)).life, place.life);
  }
  for (const place of [created(), pairing(), showingQr(), scanned(), loggingIn(), online(), dropped()]) {
    assert.equal(then(place, { type: "admitted" }).life, place.life);
  }
});

Deno.test("transition() changes nothing when time passes and nothing was waited for", () => {
  for (const place of [created(), queued(), online()]) {
    assert.equal(then(place, { type: "tick" }, 10 ** 9).life, place.life);
  }
});
