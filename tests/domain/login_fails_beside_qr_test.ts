/** A login fails or is lost while a QR is shown beside it: the QR stays, and the failure is told afterwards. */
import assert from "node:assert/strict";
import { isAtRest } from "../../domain/snapshot.ts";
import { lastErrorOf } from "../../domain/errors.ts";
import { qrAnswer } from "../../domain/answer.ts";
import {
  asked,
  closedBy,
  dueIn,
  failed,
  pairing,
  qr,
  returningBeforeQr,
  showingQr,
  showingQrOverFailure,
  showingQrWhileReturning,
  steadyAt,
  then,
  unpairedBy,
  UNSCANNED,
} from "./journeys.ts";
import { PAIRED } from "./arbitraries.ts";
import { KEEP } from "../../domain/credentials.ts";

// ── The login fails or is lost ───────────────────────────────────────────────────────────────────

for (
  const [status, code, link, credentials] of [
    [403, "ACCOUNT_FORBIDDEN", "suspended", { kind: "suspend", contested: false }],
    [405, "CLIENT_OUTDATED", "working", KEEP],
    [411, "MULTIDEVICE_MISMATCH", "suspended", { kind: "suspend", contested: false }],
    [440, "LOGGED_IN_ELSEWHERE", "suspended", { kind: "suspend", contested: true }],
  ] as const
) {
  Deno.test(`transition() leaves the QR up when ${status} ends the login beside it, and tells it afterwards`, () => {
    const before = showingQrWhileReturning();
    const place = showingQrOverFailure(status);
    assert.deepEqual(place.snapshot.session, before.snapshot.session);
    assert.deepEqual(place.snapshot.pairing, before.snapshot.pairing);
    assert.equal(place.snapshot.link, link);
    assert.deepEqual(place.credentials, credentials);
    assert.deepEqual(place.effects, []);
    assert.equal(qrAnswer(place.snapshot, place.now).kind, "qr");
    for (const [how, end] of Object.entries(UNSCANNED)) {
      const over = end(place);
      assert.deepEqual(over.snapshot.session.lastError, lastErrorOf(code), how);
      assert.equal(over.snapshot.session.status, "error");
      assert.equal(over.snapshot.session.qr.status, "expired");
      assert.ok(isAtRest(over.snapshot));
      assert.equal(dueIn(over), null);
    }
  });

  Deno.test(`transition() tells that ${status} ended the login immediately when no QR is shown yet`, () => {
    const place = returningBeforeQr();
    const lost = then(place, closedBy(status));
    assert.deepEqual(lost.snapshot.session.lastError, lastErrorOf(code));
    assert.equal(lost.snapshot.session.status, "error");
    assert.equal(lost.snapshot.pairing, place.snapshot.pairing);
    assert.equal(qrAnswer(lost.snapshot, lost.now).kind, "pending");
    const shown = then(lost, qr(lost.now));
    assert.equal(shown.snapshot.session.status, "qr_required");
    assert.equal(shown.snapshot.session.lastError, null);
  });
}

Deno.test("transition() tells the rival of a login that was replaced beside a QR once the pairing is over", () => {
  const conflict = { origin: "whatsapp", code: 440 } as const;
  const replaced = then(showingQrWhileReturning(), {
    type: "login_closed",
    cause: conflict,
    rival: "sender_52",
  });
  const over = then(replaced, unpairedBy(428));
  assert.deepEqual(over.snapshot.session.lastError, lastErrorOf("LOGGED_IN_ELSEWHERE", "sender_52"));
});

Deno.test("transition() closes the login's socket alone when its credentials cannot be opened beside a QR", () => {
  const place = showingQrWhileReturning();
  const unreadable = then(place, { type: "credentials_unreadable" });
  assert.deepEqual(unreadable.effects, [{ type: "close_login_socket", unlink: false }]);
  assert.equal(unreadable.snapshot.session, place.snapshot.session);
  const over = then(unreadable, unpairedBy(428));
  assert.deepEqual(over.snapshot.session.lastError, lastErrorOf("CREDENTIALS_UNREADABLE"));
});

Deno.test("transition() leaves the QR up when WhatsApp says that the login beside it is gone, and tells it afterwards", () => {
  const place = showingQrWhileReturning();
  const lost = then(place, closedBy(401));
  assert.deepEqual(asked(lost), ["erase"]);
  assert.equal(lost.snapshot.session, place.snapshot.session);
  assert.equal(lost.snapshot.pairing, place.snapshot.pairing);
  assert.equal(lost.snapshot.link, "none");
  assert.equal(qrAnswer(lost.snapshot, lost.now).kind, "qr");
  for (const [how, end] of Object.entries(UNSCANNED)) {
    const over = end(lost);
    assert.equal(over.snapshot.session.status, "disconnected", how);
    assert.deepEqual(over.snapshot.session.lastError, lastErrorOf("LOGOUT"));
    assert.deepEqual(over.snapshot.session.qr, { status: "none" });
    assert.ok(isAtRest(over.snapshot));
  }
});

Deno.test("transition() stays told as an error when the system says disconnected of a QR over a login that failed", () => {
  // Otherwise a login that needs a human would be told as one that comes back by itself.
  const told = then(showingQrOverFailure(403), { type: "disconnected", reason: "NETWORK" });
  assert.deepEqual(asked(told), ["close_pairing_socket"]);
  assert.equal(told.snapshot.session.status, "error");
  assert.deepEqual(told.snapshot.session.lastError, lastErrorOf("ACCOUNT_FORBIDDEN"));
  assert.ok(isAtRest(told.snapshot));
});

Deno.test("transition() tells a login's failure when the service stops while a QR is shown over it", () => {
  // The failure is known to nobody else, and an error stays over a restart.
  const stopped = then(showingQrOverFailure(403), { type: "stopping" });
  assert.equal(stopped.snapshot.session.status, "error");
  assert.deepEqual(stopped.snapshot.session.lastError, lastErrorOf("ACCOUNT_FORBIDDEN"));
});

// ── Out of an error ──────────────────────────────────────────────────────────────────────────────

for (const code of ["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"] as const) {
  Deno.test(`transition() takes the login up again when a QR clears ${code}, and not before`, () => {
    const open = pairing(failed(code));
    assert.deepEqual(open.snapshot.login, { kind: "idle" });
    const shown = then(open, qr(open.now));
    assert.equal(shown.snapshot.session.lastError, null);
    assert.deepEqual(shown.snapshot.login, {
      kind: "waiting",
      failures: { attempts: 1, since: steadyAt(shown.now) },
      reason: "UNKNOWN",
      until: steadyAt(shown.now) + 1_000,
    });
    assert.deepEqual(shown.effects, []);
    // The next QR changes nothing about that.
    assert.equal(then(shown, qr(shown.now, 1)).snapshot.login, shown.snapshot.login);
  });
}

for (const code of ["LOGGED_IN_ELSEWHERE", "ACCOUNT_FORBIDDEN", "MULTIDEVICE_MISMATCH"] as const) {
  Deno.test(`transition() leaves a suspended login alone when a QR clears ${code}`, () => {
    const shown = showingQr(failed(code));
    assert.equal(shown.snapshot.link, "suspended");
    assert.deepEqual(shown.snapshot.login, { kind: "idle" });
  });
}

Deno.test("transition() does not take a login up again that failed beside the QR when the QR rotates", () => {
  const place = showingQrOverFailure(405);
  const rotated = then(place, qr(place.now, 1));
  assert.equal(rotated.snapshot.login, place.snapshot.login);
});

Deno.test("transition() forgets that a login failed beside a QR when the QR is scanned", () => {
  for (const status of [403, 405, 411, 440] as const) {
    const paired = then(showingQrOverFailure(status), PAIRED);
    assert.equal(paired.snapshot.session.status, "connecting");
    assert.equal(paired.snapshot.session.lastError, null);
    assert.deepEqual(paired.snapshot.login, { kind: "idle" });
    assert.equal(paired.snapshot.link, "working");
    // Only a login that may work again is worth going back to.
    assert.equal(paired.snapshot.predecessor, status === 405);
    assert.deepEqual(asked(paired), ["adopt"]);
  }
});
