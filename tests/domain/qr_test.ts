import assert from "node:assert/strict";
import { atRest, isAtRest, nextTickMs } from "../../domain/snapshot.ts";
import { expire, generateQr, isValid, retireQr, WHATSAPP_QR_LIFE, withoutValidQr } from "../../domain/qr.ts";
import { FAULT_CODES } from "@session-manager/contract";
import { qrAnswer } from "../../domain/answer.ts";
import { viewSession } from "../../domain/view.ts";
import {
  asked,
  created,
  dropped,
  dueIn,
  failed,
  loggingIn,
  online,
  pairing,
  PNG,
  POLICY,
  qr,
  queued,
  scanned,
  showingQr,
  steadyAt,
  T0,
  then,
  unpaired,
  unpairedBy,
} from "./journeys.ts";

Deno.test("generateQr() gives 60 s to the first QR of a socket and 20 s to each of the five later ones", () => {
  const lives = [0, 1, 2, 3, 4, 5].map((ordinal) =>
    generateQr(PNG, ordinal, T0, WHATSAPP_QR_LIFE).expiresAt - T0
  );
  assert.deepEqual(lives, [60_000, 20_000, 20_000, 20_000, 20_000, 20_000]);
});

Deno.test("isValid() is false from the very instant of expiry", () => {
  const shown = generateQr(PNG, 0, T0, WHATSAPP_QR_LIFE);
  assert.ok(isValid(shown, T0));
  assert.ok(isValid(shown, T0 + 59_999));
  assert.ok(!isValid(shown, T0 + 60_000));
  assert.ok(!isValid({ status: "none" }, T0));
  assert.ok(!isValid(expire(shown), T0));
});

Deno.test("retireQr() takes the text and keeps the instants when the QR is generated, and nothing else", () => {
  const shown = generateQr(PNG, 0, T0, WHATSAPP_QR_LIFE);
  assert.deepEqual(retireQr(shown), { status: "expired", generatedAt: T0, expiresAt: T0 + 60_000 });
  const used = { status: "used", generatedAt: T0, expiresAt: null } as const;
  assert.equal(retireQr(used), used);
});

Deno.test("withoutValidQr() returns the very same session when it shows no QR", () => {
  const { session } = online().snapshot;
  assert.equal(withoutValidQr(session, T0), session);
});

Deno.test("transition() opens one pairing socket when a QR is asked for, and none for further calls", () => {
  const first = then(created(), { type: "qr_requested" });
  assert.deepEqual(first.effects, [{ type: "open_pairing_socket" }]);
  const deadline = steadyAt(first.now) + POLICY.firstQrMs;
  assert.deepEqual(first.snapshot.pairing, { kind: "showing", deadline });
  assert.equal(first.snapshot.session.status, "init");
  assert.equal(qrAnswer(first.snapshot, first.now).kind, "pending");
  const second = then(first, { type: "qr_requested" });
  assert.equal(second.snapshot, first.snapshot);
  assert.deepEqual(second.effects, []);
});

Deno.test("transition() leaves a valid QR as it is when it is asked for again", () => {
  const shown = showingQr();
  const again = then(shown, { type: "qr_requested" }, 59_999);
  assert.equal(again.snapshot, shown.snapshot);
  assert.deepEqual(again.effects, []);
  assert.deepEqual(qrAnswer(again.snapshot, again.now), { kind: "qr", qr: shown.snapshot.session.qr });
});

Deno.test("transition() shows a new text with new instants and the same status when the socket rotates", () => {
  let place = showingQr();
  let expiresAt = place.now + 60_000;
  for (const ordinal of [1, 2, 3, 4, 5]) {
    place = then(place, qr(expiresAt, ordinal, `${PNG}${ordinal}`), expiresAt - place.now);
    assert.equal(place.snapshot.session.status, "qr_required");
    assert.deepEqual(place.snapshot.session.qr, {
      status: "generated",
      string: `${PNG}${ordinal}`,
      generatedAt: expiresAt,
      expiresAt: expiresAt + 20_000,
    });
    assert.deepEqual(place.effects, []);
    expiresAt += 20_000;
  }
});

Deno.test("transition() counts a QR's life from when it was shown when the news of it is late", () => {
  const open = pairing();
  const late = then(open, qr(open.now), 59_999);
  assert.equal(late.snapshot.session.qr.status, "generated");
  assert.equal(dueIn(late), 1);
});

Deno.test("transition() shows no QR but waits for the next one when the news of it comes after its expiry", () => {
  const open = pairing();
  const late = then(open, qr(open.now), 60_000);
  assert.equal(late.snapshot.session.status, "qr_required");
  assert.deepEqual(late.snapshot.session.qr, {
    status: "expired",
    generatedAt: open.now,
    expiresAt: open.now + 60_000,
  });
  assert.equal(qrAnswer(late.snapshot, late.now).kind, "pending");
});

Deno.test("viewSession() says expired without a text from the instant of expiry when no tick has come", () => {
  const shown = showingQr();
  const at = (afterMs: number) => viewSession(shown.snapshot.session, shown.now + afterMs);
  assert.equal(at(59_999).qr_status, "generated");
  assert.deepEqual(at(60_000), {
    instance_id: "sender_51",
    status: "qr_required",
    qr_status: "expired",
    qr_string: null,
    qr_expires_at: at(0).qr_expires_at,
  });
});

Deno.test("transition() gives the socket a little time for its next QR when one has expired", () => {
  const shown = showingQr();
  const over = then(shown, { type: "tick" }, 60_000);
  assert.equal(over.snapshot.pairing.kind, "showing");
  assert.deepEqual(over.effects, []);
  assert.equal(dueIn(over), POLICY.nextQrMs);
  assert.equal(then(over, { type: "tick" }, POLICY.nextQrMs - 1).snapshot, over.snapshot);
});

Deno.test("transition() closes the socket and does nothing more when the last QR expires without a login", () => {
  const over = then(showingQr(), { type: "tick" }, 60_000 + POLICY.nextQrMs);
  assert.deepEqual(over.effects, [{ type: "close_pairing_socket" }]);
  assert.ok(isAtRest(over.snapshot));
  assert.equal(over.snapshot.session.qr.status, "expired");
  assert.equal(dueIn(over), null);
  assert.equal(qrAnswer(over.snapshot, over.now).kind, "none");
  // The next call opens a new one.
  assert.deepEqual(asked(then(over, { type: "qr_requested" })), ["open_pairing_socket"]);
});

Deno.test("transition() gives up and stays init when the socket brings no QR by its deadline", () => {
  const open = pairing();
  assert.equal(then(open, { type: "tick" }, POLICY.firstQrMs - 1).snapshot, open.snapshot);
  const over = then(open, { type: "tick" }, POLICY.firstQrMs);
  assert.deepEqual(asked(over), ["close_pairing_socket"]);
  assert.equal(over.snapshot.session, open.snapshot.session);
  assert.equal(qrAnswer(over.snapshot, over.now).kind, "none");
});

Deno.test("transition() expires the QR immediately, before its time, when its socket ends", () => {
  for (const event of [unpairedBy(401), unpairedBy(515), unpaired({ origin: "network" })]) {
    const over = then(showingQr(), event);
    assert.equal(over.snapshot.session.status, "qr_required");
    assert.equal(over.snapshot.session.qr.status, "expired");
    assert.ok(isAtRest(over.snapshot));
    assert.deepEqual(over.effects, []);
  }
});

Deno.test("qrAnswer() refuses and transition() opens nothing when the session is connecting or connected", () => {
  for (const place of [scanned(), loggingIn(), online()]) {
    const next = then(place, { type: "qr_requested" });
    assert.equal(next.snapshot, place.snapshot);
    assert.deepEqual(next.effects, []);
    assert.deepEqual(qrAnswer(place.snapshot, place.now), { kind: "already_connected" });
  }
});

Deno.test("transition() opens a pairing socket when a QR is asked for while disconnected or in error", () => {
  for (const place of [dropped(), queued(), ...FAULT_CODES.map(failed)]) {
    const open = pairing(place);
    assert.deepEqual(asked(open), ["open_pairing_socket"]);
    // The first QR clears the error, and not the wish for one.
    assert.equal(open.snapshot.session, place.snapshot.session);
    assert.equal(open.snapshot.link, place.snapshot.link);
    assert.equal(showingQr(place).snapshot.session.lastError, null);
  }
});

Deno.test("transition() keeps suspended credentials and does not use them when nobody scanned", () => {
  const over = then(showingQr(failed("LOGGED_IN_ELSEWHERE")), unpairedBy(428));
  assert.equal(over.snapshot.link, "suspended");
  assert.ok(isAtRest(over.snapshot));
});

Deno.test("transition() stays in error when the pairing socket ended before it showed a QR", () => {
  const error = failed("CLIENT_OUTDATED");
  const over = then(pairing(error), unpairedBy(428));
  assert.equal(over.snapshot.session, error.snapshot.session);
  assert.ok(isAtRest(over.snapshot));
});

Deno.test("nextTickMs() names a QR's expiry when a session is loaded that still shows one", () => {
  const shown = showingQr();
  const loaded = atRest(shown.snapshot.session, shown.snapshot.link);
  // The wall clock tells when it expires, whatever the monotonic clock of the new process says.
  assert.equal(nextTickMs(loaded, { now: shown.now, steady: 0 }), 60_000);
  assert.equal(nextTickMs(loaded, { now: shown.now + 60_001, steady: 0 }), -1);
});
