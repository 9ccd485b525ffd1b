/** A QR is shown while the login is on its way back: each goes on by itself, and one thing is told. */
import assert from "node:assert/strict";
import { isAtRest } from "../../domain/snapshot.ts";
import { lastErrorOf } from "../../domain/errors.ts";
import { qrAnswer } from "../../domain/answer.ts";
import type { SessionEvent } from "../../domain/events.ts";
import { failuresOf } from "../../domain/moves.ts";
import {
  asked,
  closedBy,
  dropped,
  failed,
  pairing,
  POLICY,
  qr,
  queued,
  returningBeforeQr,
  showingQr,
  showingQrOverFailure,
  showingQrWhileReturning,
  socketConnected,
  then,
  thenDue,
  unpairedBy,
  UNSCANNED,
} from "./journeys.ts";
import { PAIRED } from "./arbitraries.ts";

const PASSKEY: SessionEvent = { type: "passkey_demanded" };
/** Every refusal of WhatsApp's to pair. */
const REFUSALS = [
  [unpairedBy(403), "ACCOUNT_FORBIDDEN"],
  [unpairedBy(405), "CLIENT_OUTDATED"],
  [unpairedBy(411), "MULTIDEVICE_MISMATCH"],
  [unpairedBy(440), "LOGGED_IN_ELSEWHERE"],
  [PASSKEY, "PASSKEY_REQUIRED"],
] as const;
// ── Each goes on by itself ───────────────────────────────────────────────────────────────────────

Deno.test("transition() leaves the login's plan as it is when a QR is asked for and shown", () => {
  for (const place of [dropped(), queued()]) {
    const open = pairing(place);
    assert.deepEqual(asked(open), ["open_pairing_socket"]);
    const shown = then(open, qr(open.now));
    assert.deepEqual(shown.effects, []);
    for (const { snapshot } of [open, shown]) {
      assert.equal(snapshot.login, place.snapshot.login);
      assert.equal(snapshot.link, "working");
      assert.equal(snapshot.predecessor, false);
    }
  }
});

Deno.test("transition() tries to log in, drops and tries again, and tells the QR all the while, when one is shown", () => {
  const shown = showingQr(dropped());
  const turn = then(shown, { type: "tick" });
  assert.deepEqual(asked(turn), ["ask_admission"]);
  const login = then(turn, { type: "admitted" });
  assert.deepEqual(asked(login), ["open_login_socket"]);
  assert.equal(login.snapshot.login.kind, "login");
  const lost = then(login, closedBy(503));
  assert.equal(lost.snapshot.login.kind, "waiting");
  assert.equal(failuresOf(lost.snapshot)?.attempts, 2);
  const late = then(login, { type: "tick" }, POLICY.loginMs - 10_000);
  assert.equal(late.snapshot, login.snapshot);
  for (const { snapshot } of [turn, login, lost]) {
    assert.equal(snapshot.session, shown.snapshot.session);
    assert.equal(snapshot.pairing, shown.snapshot.pairing);
  }
});

Deno.test("transition() times the login out beside a QR and closes its socket alone", () => {
  const shown = showingQrWhileReturning();
  const rotated = then(shown, qr(shown.now + 55_000, 1), 55_000);
  const late = thenDue(rotated);
  assert.deepEqual(asked(late), ["close_login_socket"]);
  assert.equal(late.snapshot.login.kind === "waiting" && late.snapshot.login.reason, "TIMEOUT");
  assert.equal(late.snapshot.session, rotated.snapshot.session);
});

Deno.test("transition() asks for its turn again beside a QR when the turn does not come in time, and tells the QR", () => {
  let place = then(showingQr(dropped()), { type: "tick" });
  for (const ordinal of [1, 2, 3, 4, 5]) place = then(place, qr(place.now + 20_000, ordinal), 20_000);
  const late = then(place, { type: "tick" }, POLICY.queueMs - 100_000);
  assert.deepEqual(asked(late), ["ask_admission"]);
  assert.equal(late.snapshot.session.status, "qr_required");
});

for (
  const [when, place] of [["is shown", showingQrWhileReturning()], [
    "is still to come",
    returningBeforeQr(),
  ]] as const
) {
  Deno.test(`transition() is connected and closes the pairing when the login succeeds while a QR ${when}`, () => {
    const back = then(place, socketConnected);
    assert.equal(back.snapshot.session.status, "connected");
    assert.equal(back.snapshot.session.qr.status, "used");
    assert.equal(back.snapshot.login.kind, "open");
    assert.deepEqual(back.snapshot.pairing, { kind: "none" });
    assert.deepEqual(asked(back), ["close_pairing_socket"]);
    assert.equal(qrAnswer(back.snapshot, back.now).kind, "already_connected");
    // The scan comes too late.
    assert.equal(then(back, PAIRED).snapshot, back.snapshot);
  });
}

Deno.test("transition() does not tell connecting to those who wait for a QR that is still to come", () => {
  const place = returningBeforeQr();
  assert.equal(place.snapshot.session.status, "disconnected");
  assert.equal(qrAnswer(place.snapshot, place.now).kind, "pending");
});

// ── The pairing ends ─────────────────────────────────────────────────────────────────────────────

for (const [how, end] of Object.entries(UNSCANNED)) {
  Deno.test(`transition() goes on with the login as if no QR had been asked for when ${how}`, () => {
    for (const from of [dropped(), queued()]) {
      const place = showingQr(from);
      const over = end(place);
      assert.equal(over.snapshot.login, place.snapshot.login);
      assert.equal(over.snapshot.session.status, "qr_required");
      assert.equal(over.snapshot.session.qr.status, "expired");
      assert.deepEqual(over.snapshot.pairing, { kind: "none" });
      assert.deepEqual(over.effects.filter(({ type }) => type !== "close_pairing_socket"), []);
      const turn = from.snapshot.login.kind === "queued" ? over : then(over, { type: "tick" });
      const login = then(turn, { type: "admitted" });
      assert.deepEqual(asked(login), ["open_login_socket"]);
      assert.equal(login.snapshot.session.status, "connecting");
      assert.deepEqual(login.snapshot.session.qr, { ...over.snapshot.session.qr, status: "used" });
    }
  });
}

Deno.test("transition() is told as connecting when the pairing ends while the login is opening", () => {
  for (const place of [showingQrWhileReturning(), returningBeforeQr()]) {
    const over = then(place, unpairedBy(428));
    assert.equal(over.snapshot.session.status, "connecting");
    assert.equal(over.snapshot.session.qr.status, "used");
    assert.equal(over.snapshot.login, place.snapshot.login);
  }
});

for (const [refusal, code] of REFUSALS) {
  Deno.test(`transition() becomes error when a pairing is refused with ${code} and there is no login`, () => {
    const over = then(showingQr(), refusal);
    assert.deepEqual(over.snapshot.session.lastError, lastErrorOf(code));
    assert.equal(over.snapshot.session.status, "error");
    assert.equal(over.snapshot.session.qr.status, "expired");
    assert.equal(over.snapshot.link, "none");
    assert.deepEqual(asked(over), refusal === PASSKEY ? ["close_pairing_socket"] : []);
    assert.ok(isAtRest(over.snapshot));
  });

  Deno.test(`transition() is told as what its login is when a pairing is refused with ${code} beside it`, () => {
    for (
      const [place, status] of [
        [showingQr(dropped()), "disconnected"],
        [pairing(dropped()), "disconnected"],
        [showingQr(queued()), "disconnected"],
        [showingQrWhileReturning(), "connecting"],
      ] as const
    ) {
      const over = then(place, refusal);
      // A passkey is demanded of a scan alone.
      assert.equal(over.snapshot.session.status, status);
      if (status === "disconnected") assert.equal(over.snapshot.session.lastError?.code, "NETWORK");
      assert.notEqual(over.snapshot.session.qr.status, "generated");
      assert.equal(over.snapshot.login, place.snapshot.login);
      assert.equal(over.snapshot.link, "working");
      assert.deepEqual(over.snapshot.pairing, { kind: "none" });
      assert.deepEqual(asked(over), refusal === PASSKEY ? ["close_pairing_socket"] : []);
      assert.equal(
        qrAnswer(over.snapshot, over.now).kind,
        status === "connecting" ? "already_connected" : "none",
      );
    }
  });

  Deno.test(`transition() becomes error when a pairing is refused with ${code} and the login is suspended`, () => {
    for (const place of [showingQr(failed("LOGGED_IN_ELSEWHERE")), showingQrOverFailure(403)]) {
      const over = then(place, refusal);
      assert.deepEqual(over.snapshot.session.lastError, lastErrorOf(code));
      assert.equal(over.snapshot.link, "suspended");
      assert.ok(isAtRest(over.snapshot));
    }
  });
}
