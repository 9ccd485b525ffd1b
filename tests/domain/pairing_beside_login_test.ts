/** A QR is shown while the login is on its way back: each goes on by itself, and one thing is told. */
import assert from "node:assert/strict";
import { isAtRest } from "../../domain/life.ts";
import { lastErrorOf } from "../../domain/errors.ts";
import { qrAnswer } from "../../domain/answer.ts";
import type { SessionEvent } from "../../domain/events.ts";
import { troubleOf } from "../../domain/moves.ts";
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
    for (const { life } of [open, shown]) {
      assert.equal(life.login, place.life.login);
      assert.equal(life.link, "working");
      assert.equal(life.predecessor, false);
    }
  }
});

Deno.test("transition() tries to log in, drops and tries again, and tells the QR all the while, when one is shown", () => {
  const shown = showingQr(dropped());
  const turn = then(shown, { type: "tick" });
  assert.deepEqual(asked(turn), ["ask_admission"]);
  const login = then(turn, { type: "admitted" });
  assert.deepEqual(asked(login), ["open_login_socket"]);
  assert.equal(login.life.login.kind, "login");
  const lost = then(login, closedBy(503));
  assert.equal(lost.life.login.kind, "waiting");
  assert.equal(troubleOf(lost.life)?.attempts, 2);
  const late = then(login, { type: "tick" }, POLICY.loginMs - 10_000);
  assert.equal(late.life, login.life);
  for (const { life } of [turn, login, lost]) {
    assert.equal(life.session, shown.life.session);
    assert.equal(life.pairing, shown.life.pairing);
  }
});

Deno.test("transition() times the login out beside a QR and closes its socket alone", () => {
  const shown = showingQrWhileReturning();
  const rotated = then(shown, qr(shown.now + 55_000, 1), 55_000);
  const late = thenDue(rotated);
  assert.deepEqual(asked(late), ["close_login_socket"]);
  assert.equal(late.life.login.kind === "waiting" && late.life.login.reason, "TIMEOUT");
  assert.equal(late.life.session, rotated.life.session);
});

Deno.test("transition() asks for its turn again beside a QR when the turn does not come in time, and tells the QR", () => {
  let place = then(showingQr(dropped()), { type: "tick" });
  for (const ordinal of [1, 2, 3, 4, 5]) place = then(place, qr(place.now + 20_000, ordinal), 20_000);
  const late = then(place, { type: "tick" }, POLICY.queueMs - 100_000);
  assert.deepEqual(asked(late), ["ask_admission"]);
  assert.equal(late.life.session.status, "qr_required");
});

for (
  const [when, place] of [["is shown", showingQrWhileReturning()], [
    "is still to come",
    returningBeforeQr(),
  ]] as const
) {
  Deno.test(`transition() is connected and closes the pairing when the login succeeds while a QR ${when}`, () => {
    const back = then(place, socketConnected);
    assert.equal(back.life.session.status, "connected");
    assert.equal(back.life.session.qr.status, "used");
    assert.equal(back.life.login.kind, "open");
    assert.deepEqual(back.life.pairing, { kind: "none" });
    assert.deepEqual(asked(back), ["close_pairing_socket"]);
    assert.equal(qrAnswer(back.life, back.now).kind, "already_connected");
    // The scan comes too late.
    assert.equal(then(back, PAIRED).life, back.life);
  });
}

Deno.test("transition() does not tell connecting to those who wait for a QR that is still to come", () => {
  const place = returningBeforeQr();
  assert.equal(place.life.session.status, "disconnected");
  assert.equal(qrAnswer(place.life, place.now).kind, "pending");
});

// ── The pairing ends ─────────────────────────────────────────────────────────────────────────────

for (const [how, end] of Object.entries(UNSCANNED)) {
  Deno.test(`transition() goes on with the login as if no QR had been asked for when ${how}`, () => {
    for (const from of [dropped(), queued()]) {
      const place = showingQr(from);
      const over = end(place);
      assert.equal(over.life.login, place.life.login);
      assert.equal(over.life.session.status, "qr_required");
      assert.equal(over.life.session.qr.status, "expired");
      assert.deepEqual(over.life.pairing, { kind: "none" });
      assert.deepEqual(over.effects.filter(({ type }) => type !== "close_pairing_socket"), []);
      const turn = from.life.login.kind === "queued" ? over : then(over, { type: "tick" });
      const login = then(turn, { type: "admitted" });
      assert.deepEqual(asked(login), ["open_login_socket"]);
      assert.equal(login.life.session.status, "connecting");
      assert.deepEqual(login.life.session.qr, { ...over.life.session.qr, status: "used" });
    }
  });
}

Deno.test("transition() is told as connecting when the pairing ends while the login is opening", () => {
  for (const place of [showingQrWhileReturning(), returningBeforeQr()]) {
    const over = then(place, unpairedBy(428));
    assert.equal(over.life.session.status, "connecting");
    assert.equal(over.life.session.qr.status, "used");
    assert.equal(over.life.login, place.life.login);
  }
});

for (const [refusal, code] of REFUSALS) {
  Deno.test(`transition() becomes error when a pairing is refused with ${code} and there is no login`, () => {
    const over = then(showingQr(), refusal);
    assert.deepEqual(over.life.session.lastError, lastErrorOf(code));
    assert.equal(over.life.session.status, "error");
    assert.equal(over.life.session.qr.status, "expired");
    assert.equal(over.life.link, "none");
    assert.deepEqual(asked(over), refusal === PASSKEY ? ["close_pairing_socket"] : []);
    assert.ok(isAtRest(over.life));
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
      assert.equal(over.life.session.status, status);
      if (status === "disconnected") assert.equal(over.life.session.lastError?.code, "NETWORK");
      assert.notEqual(over.life.session.qr.status, "generated");
      assert.equal(over.life.login, place.life.login);
      assert.equal(over.life.link, "working");
      assert.deepEqual(over.life.pairing, { kind: "none" });
      assert.deepEqual(asked(over), refusal === PASSKEY ? ["close_pairing_socket"] : []);
      assert.equal(
        qrAnswer(over.life, over.now).kind,
        status === "connecting" ? "already_connected" : "none",
      );
    }
  });

  Deno.test(`transition() becomes error when a pairing is refused with ${code} and the login is suspended`, () => {
    for (const place of [showingQr(failed("LOGGED_IN_ELSEWHERE")), showingQrOverFailure(403)]) {
      const over = then(place, refusal);
      assert.deepEqual(over.life.session.lastError, lastErrorOf(code));
      assert.equal(over.life.link, "suspended");
      assert.ok(isAtRest(over.life));
    }
  });
}
