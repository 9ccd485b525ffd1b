import assert from "node:assert/strict";
import { activityOf, atRest, isAtRest, type Life } from "../../domain/life.ts";
import { FAULT_CODES } from "@session-manager/contract";
import type { SessionEvent } from "../../domain/events.ts";
import {
  asked,
  closedBy,
  created,
  dropped,
  dueIn,
  failed,
  loggingIn,
  online,
  POLICY,
  queued,
  restarted,
  scanned,
  showingQr,
  showingQrOverFailure,
  showingQrWhileReturning,
  steadyAt,
  then,
  unpairedBy,
} from "./journeys.ts";

Deno.test("atRest() is idle with no socket when a session is loaded", () => {
  const { session } = online().life;
  const life = atRest(session, "working");
  assert.ok(isAtRest(life));
  assert.deepEqual(life, {
    session,
    link: "working",
    predecessor: false,
    login: { kind: "idle" },
    pairing: { kind: "none" },
  });
  assert.equal(atRest(session, "working", true).predecessor, true);
});

Deno.test("transition() makes a generated QR expired when it is found at start, though its time is not over", () => {
  const shown = showingQr();
  const found = restarted(shown);
  assert.equal(found.life.session.status, "qr_required");
  assert.deepEqual(found.life.session.qr, {
    status: "expired",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
  assert.ok(isAtRest(found.life));
  assert.deepEqual(found.effects, []);
});

for (
  const [where, place] of [
    ["connected", online()],
    ["waiting to reconnect", dropped()],
    ["queued", queued()],
    ["logging in", loggingIn()],
    ["just paired", scanned()],
    ["just paired, an older login being held", scanned(dropped())],
    ["showing a QR over a login that works", showingQr(dropped())],
    ["showing a QR while its login was opening", showingQrWhileReturning()],
    ["showing a QR over a login that an update may mend", showingQrOverFailure(405)],
  ] as const
) {
  Deno.test(`transition() becomes connecting and asks for its turn when it was ${where} before a restart`, () => {
    const found = restarted(place);
    assert.equal(found.life.session.status, "connecting");
    assert.notEqual(found.life.session.qr.status, "generated");
    const deadline = steadyAt(found.now) + POLICY.queueMs;
    assert.deepEqual(found.life.login, { kind: "queued", trouble: null, reason: null, deadline });
    assert.deepEqual(found.life.pairing, { kind: "none" });
    assert.equal(found.life.predecessor, place.life.predecessor);
    assert.deepEqual(asked(found), ["ask_admission"]);
    assert.deepEqual(asked(then(found, { type: "admitted" })), ["open_login_socket"]);
  });
}

for (
  const [where, place] of [
    ["just created", created()],
    ["logged out", then(online(), closedBy(401))],
    ["left with an expired QR", then(showingQr(), unpairedBy(428))],
  ] as const
) {
  Deno.test(`transition() stays as it is and opens no socket when it was ${where} before a restart`, () => {
    const found = restarted(place);
    assert.equal(found.life.session, place.life.session);
    assert.ok(isAtRest(found.life));
    assert.deepEqual(found.effects, []);
    assert.equal(dueIn(found), null);
  });
}

for (const code of FAULT_CODES) {
  const mended = code === "CLIENT_OUTDATED" || code === "CREDENTIALS_UNREADABLE";
  Deno.test(`transition() ${mended ? "tries again" : "stays in error"} after a restart when the fault is ${code}`, () => {
    const before = failed(code);
    const found = restarted(before);
    if (mended) {
      assert.equal(found.life.session.status, "connecting");
      assert.deepEqual(asked(found), ["ask_admission"]);
    } else {
      assert.equal(found.life.session, before.life.session);
      assert.ok(isAtRest(found.life));
      assert.deepEqual(found.effects, []);
    }
  });
}

Deno.test("transition() stays in error after a restart when the fault could be mended but there is no login", () => {
  const refused = then(showingQr(), unpairedBy(405));
  assert.equal(restarted(refused).life.session, refused.life.session);
});

Deno.test("transition() stays in error after a restart when another system wrote the code", () => {
  const { session } = created().life;
  const lastError = { code: "SOMETHING_ELSE", message: "Written elsewhere." };
  const life: Life = atRest({ ...session, status: "error", qr: { status: "none" }, lastError }, "working");
  assert.equal(restarted({ ...created(), life }).life.session, life.session);
});

for (const link of ["none", "suspended"] as const) {
  Deno.test(`transition() is disconnected by TIMEOUT when connecting is found at start and the link is ${link}`, () => {
    const place = loggingIn();
    const found = restarted({ ...place, life: { ...place.life, link } });
    assert.equal(found.life.session.status, "disconnected");
    assert.equal(found.life.session.lastError?.code, "TIMEOUT");
    assert.equal(found.life.session.disconnectedAt, found.now);
    assert.equal(found.life.link, link);
    assert.ok(isAtRest(found.life));
    assert.deepEqual(found.effects, []);
  });
}

Deno.test("transition() leaves neither QR nor connection behind when the service stops", () => {
  const stopping: SessionEvent = { type: "stopping" };
  const shown = then(showingQr(), stopping);
  assert.deepEqual([shown.life.session.status, shown.life.session.qr.status], ["qr_required", "expired"]);
  assert.deepEqual(asked(shown), ["close_pairing_socket"]);
  assert.deepEqual(then(showingQrWhileReturning(), stopping).effects, [
    { type: "close_pairing_socket" },
    { type: "close_login_socket", unlink: false },
  ]);
  for (const place of [scanned(), loggingIn(), loggingIn(dropped()), online(), queued()]) {
    const { life } = then(place, stopping);
    assert.equal(life.session.status, "disconnected");
    assert.equal(life.link, "working");
    assert.equal(life.predecessor, place.life.predecessor);
    assert.ok(isAtRest(life));
    assert.equal(restarted({ ...place, life }).life.session.status, "connecting");
  }
  const waiting = dropped();
  assert.ok(isAtRest(then(waiting, stopping).life));
  assert.equal(then(waiting, stopping).life.session, waiting.life.session);
  const rest = created();
  assert.equal(then(rest, stopping).life, rest.life);
});

Deno.test("activityOf() names the pairing where there is one, and the login otherwise", () => {
  const named = [
    [created(), "idle"],
    [showingQr(), "pairing"],
    [showingQrWhileReturning(), "pairing"],
    [showingQrOverFailure(), "pairing"],
    [scanned(), "paired"],
    [loggingIn(), "login"],
    [online(), "open"],
    [dropped(), "waiting"],
    [queued(), "queued"],
    [failed("ACCOUNT_FORBIDDEN"), "idle"],
  ] as const;
  for (const [place, name] of named) assert.equal(activityOf(place.life), name);
});
