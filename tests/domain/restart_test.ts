import assert from "node:assert/strict";
import { atRest, FAULT_CODES, type Life, nextTick, type SessionEvent } from "../../domain/mod.ts";
import {
  asked,
  closedBy,
  created,
  dropped,
  failed,
  loggingIn,
  online,
  queued,
  restarted,
  scanned,
  showingQr,
  then,
} from "./journeys.ts";

Deno.test("atRest() is idle with no socket when a session is loaded", () => {
  const { session } = online().life;
  assert.deepEqual(atRest(session, "working"), { session, link: "working", activity: { kind: "idle" } });
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
  assert.deepEqual(found.life.activity, { kind: "idle" });
  assert.deepEqual(found.effects, []);
});

for (
  const [where, place] of [
    ["connected", online()],
    ["waiting to reconnect", dropped()],
    ["queued", queued()],
    ["logging in", loggingIn()],
    ["just paired", scanned()],
    ["showing a QR over a login that works", showingQr(dropped())],
  ] as const
) {
  Deno.test(`transition() becomes connecting and asks for its turn when it was ${where} before a restart`, () => {
    const found = restarted(place);
    assert.equal(found.life.session.status, "connecting");
    assert.notEqual(found.life.session.qr.status, "generated");
    assert.deepEqual(found.life.activity, { kind: "queued", attempt: 0 });
    assert.deepEqual(asked(found), ["ask_admission"]);
    assert.deepEqual(asked(then(found, { type: "admitted" })), ["open_login_socket"]);
  });
}

for (
  const [where, place] of [
    ["just created", created()],
    ["logged out", then(online(), closedBy(401))],
    ["left with an expired QR", then(showingQr(), closedBy(428))],
  ] as const
) {
  Deno.test(`transition() stays as it is and opens no socket when it was ${where} before a restart`, () => {
    const found = restarted(place);
    assert.equal(found.life.session, place.life.session);
    assert.deepEqual(found.life.activity, { kind: "idle" });
    assert.deepEqual(found.effects, []);
    assert.equal(nextTick(found.life), null);
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
      assert.deepEqual(found.life.activity, { kind: "idle" });
      assert.deepEqual(found.effects, []);
    }
  });
}

Deno.test("transition() stays in error after a restart when the fault could be mended but there is no login", () => {
  const refused = then(showingQr(), closedBy(405));
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
    assert.deepEqual(found.life.activity, { kind: "idle" });
    assert.deepEqual(found.effects, []);
  });
}

Deno.test("transition() leaves neither QR nor connection behind when the service stops", () => {
  const stopping: SessionEvent = { type: "stopping" };
  const shown = then(showingQr(), stopping);
  assert.deepEqual([shown.life.session.status, shown.life.session.qr.status], ["qr_required", "expired"]);
  assert.deepEqual(asked(shown), ["close_socket"]);
  for (const place of [scanned(), loggingIn(), online(), queued()]) {
    const { life } = then(place, stopping);
    assert.equal(life.session.status, "disconnected");
    assert.equal(life.link, "working");
    assert.equal(life.activity.kind, "idle");
    assert.equal(restarted({ ...place, life }).life.session.status, "connecting");
  }
  const waiting = dropped();
  assert.equal(then(waiting, stopping).life.session, waiting.life.session);
  const rest = created();
  assert.equal(then(rest, stopping).life, rest.life);
});
