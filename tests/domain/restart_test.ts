import assert from "node:assert/strict";
import { activityOf, atRest, isAtRest, type SessionSnapshot } from "../../domain/snapshot.ts";
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
  const { session } = online().snapshot;
  const snapshot = atRest(session, "working");
  assert.ok(isAtRest(snapshot));
  assert.deepEqual(snapshot, {
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
  assert.equal(found.snapshot.session.status, "qr_required");
  assert.deepEqual(found.snapshot.session.qr, {
    status: "expired",
    generatedAt: shown.now,
    expiresAt: shown.now + 60_000,
  });
  assert.ok(isAtRest(found.snapshot));
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
    assert.equal(found.snapshot.session.status, "connecting");
    assert.notEqual(found.snapshot.session.qr.status, "generated");
    const deadline = steadyAt(found.now) + POLICY.queueMs;
    assert.deepEqual(found.snapshot.login, { kind: "queued", failures: null, reason: null, deadline });
    assert.deepEqual(found.snapshot.pairing, { kind: "none" });
    assert.equal(found.snapshot.predecessor, place.snapshot.predecessor);
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
    assert.equal(found.snapshot.session, place.snapshot.session);
    assert.ok(isAtRest(found.snapshot));
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
      assert.equal(found.snapshot.session.status, "connecting");
      assert.deepEqual(asked(found), ["ask_admission"]);
    } else {
      assert.equal(found.snapshot.session, before.snapshot.session);
      assert.ok(isAtRest(found.snapshot));
      assert.deepEqual(found.effects, []);
    }
  });
}

Deno.test("transition() stays in error after a restart when the fault could be mended but there is no login", () => {
  const refused = then(showingQr(), unpairedBy(405));
  assert.equal(restarted(refused).snapshot.session, refused.snapshot.session);
});

Deno.test("transition() stays in error after a restart when another system wrote the code", () => {
  const { session } = created().snapshot;
  const lastError = { code: "SOMETHING_ELSE", message: "Written elsewhere." };
  const snapshot: SessionSnapshot = atRest(
    { ...session, status: "error", qr: { status: "none" }, lastError },
    "working",
  );
  assert.equal(restarted({ ...created(), snapshot }).snapshot.session, snapshot.session);
});

for (const link of ["none", "suspended"] as const) {
  Deno.test(`transition() is disconnected by TIMEOUT when connecting is found at start and the link is ${link}`, () => {
    const place = loggingIn();
    const found = restarted({ ...place, snapshot: { ...place.snapshot, link } });
    assert.equal(found.snapshot.session.status, "disconnected");
    assert.equal(found.snapshot.session.lastError?.code, "TIMEOUT");
    assert.equal(found.snapshot.session.disconnectedAt, found.now);
    assert.equal(found.snapshot.link, link);
    assert.ok(isAtRest(found.snapshot));
    assert.deepEqual(found.effects, []);
  });
}

Deno.test("transition() leaves neither QR nor connection behind when the service stops", () => {
  const stopping: SessionEvent = { type: "stopping" };
  const shown = then(showingQr(), stopping);
  assert.deepEqual([shown.snapshot.session.status, shown.snapshot.session.qr.status], [
    "qr_required",
    "expired",
  ]);
  assert.deepEqual(asked(shown), ["close_pairing_socket"]);
  assert.deepEqual(then(showingQrWhileReturning(), stopping).effects, [
    { type: "close_pairing_socket" },
    { type: "close_login_socket", unlink: false },
  ]);
  for (const place of [scanned(), loggingIn(), loggingIn(dropped()), online(), queued()]) {
    const { snapshot } = then(place, stopping);
    assert.equal(snapshot.session.status, "disconnected");
    assert.equal(snapshot.link, "working");
    assert.equal(snapshot.predecessor, place.snapshot.predecessor);
    assert.ok(isAtRest(snapshot));
    assert.equal(restarted({ ...place, snapshot }).snapshot.session.status, "connecting");
  }
  const waiting = dropped();
  assert.ok(isAtRest(then(waiting, stopping).snapshot));
  assert.equal(then(waiting, stopping).snapshot.session, waiting.snapshot.session);
  const rest = created();
  assert.equal(then(rest, stopping).snapshot, rest.snapshot);
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
  for (const [place, name] of named) assert.equal(activityOf(place.snapshot), name);
});
