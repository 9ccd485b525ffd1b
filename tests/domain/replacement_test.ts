/** A scan over a login that works: the old login is held until the new one has logged in, or turns out to be of no use. */
import assert from "node:assert/strict";
import { isAtRest } from "../../domain/snapshot.ts";
import { lastErrorOf } from "../../domain/errors.ts";
import { qrAnswer } from "../../domain/answer.ts";
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
  type Place,
  POLICY,
  qr,
  queued,
  restarted,
  RETIRED,
  scanned,
  showingQr,
  showingQrWhileReturning,
  socketConnected,
  steadyAt,
  then,
  unpairedBy,
} from "./journeys.ts";
import { PAIRED } from "./arbitraries.ts";

/** The new login has dropped before it ever succeeded, and a QR has been asked for. */
function pairingOverHeldLogin(): Place {
  const dropOfTheNew = then(loggingIn(dropped()), closedBy(428));
  return pairing(dropOfTheNew);
}

/** The new login's socket is opening again. */
function returningOverHeldLogin(from: Place): Place {
  return then(then(from, { type: "tick" }, 2_000), { type: "admitted" });
}

Deno.test("transition() holds a login that works when a scan is accepted, and nothing else", () => {
  for (const place of [showingQr(dropped()), showingQr(queued()), showingQrWhileReturning()]) {
    const paired = then(place, PAIRED);
    assert.equal(paired.snapshot.predecessor, true);
    assert.equal(paired.snapshot.link, "working");
    assert.deepEqual(paired.snapshot.login, { kind: "idle" });
    assert.deepEqual(paired.snapshot.pairing, {
      kind: "paired",
      deadline: steadyAt(paired.now) + POLICY.restartMs,
    });
    // Stored first; only then may the old login's socket go.
    const closes = place.snapshot.login.kind === "login" ? ["close_login_socket"] : [];
    assert.deepEqual(asked(paired), ["adopt", ...closes]);
  }
  for (const from of [created(), failed("LOGGED_IN_ELSEWHERE"), failed("ACCOUNT_FORBIDDEN")]) {
    const paired = scanned(from);
    assert.equal(paired.snapshot.predecessor, false);
    assert.equal(paired.snapshot.link, "working");
    assert.deepEqual(asked(paired), ["adopt"]);
  }
});

Deno.test("transition() holds a login whose fault is mended from outside when a scan is accepted", () => {
  for (const code of ["CREDENTIALS_UNREADABLE", "CLIENT_OUTDATED"] as const) {
    const paired = scanned(failed(code));
    assert.equal(paired.snapshot.predecessor, true);
    assert.deepEqual(asked(paired), ["adopt"]);
  }
});

Deno.test("transition() logs in with the new credentials from the beginning, whatever trouble the old ones had", () => {
  const login = loggingIn(queued());
  assert.deepEqual(login.snapshot.login, {
    kind: "login",
    failures: null,
    deadline: steadyAt(login.now) + POLICY.loginMs,
  });
  assert.equal(login.snapshot.predecessor, true);
});

Deno.test("transition() ignores the old login's success when the scan has been accepted before", () => {
  const paired = then(showingQrWhileReturning(), PAIRED);
  const late = then(paired, socketConnected);
  assert.equal(late.snapshot, paired.snapshot);
  assert.deepEqual(late.effects, []);
});

Deno.test("transition() confirms the new login when it has succeeded, once", () => {
  const back = online(dropped());
  assert.equal(back.snapshot.session.status, "connected");
  assert.equal(back.snapshot.predecessor, false);
  assert.deepEqual(asked(back), ["confirm"]);
  const again = then(then(then(dropped(back), { type: "tick" }), { type: "admitted" }), socketConnected);
  assert.equal(again.snapshot.session.status, "connected");
  assert.deepEqual(again.effects, []);
});

Deno.test("transition() confirms the new login and closes the pairing when it succeeds beside another QR", () => {
  const place = returningOverHeldLogin(showingQr(then(loggingIn(dropped()), closedBy(428))));
  assert.equal(place.snapshot.login.kind, "login");
  const back = then(place, socketConnected);
  assert.deepEqual(asked(back), ["confirm", "close_pairing_socket"]);
});

for (
  const [when, place, event] of [
    ["ends the pairing socket", scanned(dropped()), unpairedBy(401)],
    ["ends the new login's socket", loggingIn(dropped()), closedBy(401)],
  ] as const
) {
  Deno.test(`transition() goes back to the old login when WhatsApp ${when} with 401`, () => {
    const lost = then(place, event);
    assert.equal(lost.snapshot.session.status, "connecting");
    assert.equal(lost.snapshot.link, "working");
    assert.equal(lost.snapshot.predecessor, false);
    assert.deepEqual(lost.snapshot.login, {
      kind: "queued",
      failures: null,
      reason: null,
      deadline: steadyAt(lost.now) + POLICY.queueMs,
    });
    assert.deepEqual(lost.snapshot.pairing, { kind: "none" });
    assert.deepEqual(asked(lost), ["revert", "ask_admission"]);
    const back = then(then(lost, { type: "admitted" }), socketConnected);
    assert.equal(back.snapshot.session.status, "connected");
    assert.deepEqual(back.effects, []);
    // The old one is all that there is by now.
    assert.deepEqual(asked(then(back, closedBy(401))), ["erase"]);
  });
}

Deno.test("transition() goes back to the old login beside a QR, and leaves the QR up", () => {
  const place = returningOverHeldLogin(showingQr(then(loggingIn(dropped()), closedBy(428))));
  const lost = then(place, closedBy(401));
  assert.deepEqual(asked(lost), ["revert", "ask_admission"]);
  assert.equal(lost.snapshot.session, place.snapshot.session);
  assert.equal(lost.snapshot.pairing, place.snapshot.pairing);
  assert.equal(lost.snapshot.login.kind, "queued");
});

Deno.test("transition() leaves those who wait for a QR to wait for it when it goes back to the old login meanwhile", () => {
  const place = returningOverHeldLogin(pairingOverHeldLogin());
  assert.equal(qrAnswer(place.snapshot, place.now).kind, "pending");
  const lost = then(place, closedBy(401));
  assert.deepEqual(asked(lost), ["revert", "ask_admission"]);
  assert.equal(lost.snapshot.pairing, place.snapshot.pairing);
  assert.equal(qrAnswer(lost.snapshot, lost.now).kind, "pending");
  assert.equal(then(lost, qr(lost.now)).snapshot.session.status, "qr_required");
});

Deno.test("transition() goes on holding the old login while the new one drops, times out and waits", () => {
  const login = loggingIn(dropped());
  const drops = [
    then(login, closedBy(503)),
    then(login, closed({ origin: "worker" })),
    then(login, { type: "tick" }, POLICY.loginMs),
    then(login, { type: "disconnected", reason: "NETWORK" }),
    then(scanned(dropped()), { type: "tick" }, POLICY.restartMs),
  ];
  for (const { snapshot } of drops) {
    assert.equal(snapshot.session.status, "disconnected");
    assert.equal(snapshot.login.kind, "waiting");
    assert.equal(snapshot.predecessor, true);
  }
});

Deno.test("transition() goes back to the old login when the new one may not be used, and gives that one up", () => {
  for (
    const [status, retire] of [
      [403, true],
      [411, true],
      // Another client uses it, and goes on with it.
      [440, false],
    ] as const
  ) {
    for (
      const lost of [
        then(loggingIn(dropped()), closedBy(status)),
        then(scanned(dropped()), unpairedBy(status)),
      ]
    ) {
      assert.equal(lost.snapshot.session.status, "connecting");
      assert.equal(lost.snapshot.link, "working");
      assert.equal(lost.snapshot.predecessor, false);
      assert.deepEqual(lost.credentials, { kind: "revert", retiredId: retire ? RETIRED : null });
      assert.deepEqual(asked(lost), ["revert", "ask_admission"]);
      // And where the old one may not be used either, that is an error of the session.
      const refused = then(then(lost, { type: "admitted" }), closedBy(status));
      assert.equal(refused.snapshot.session.status, "error");
      assert.deepEqual(asked(refused), ["suspend"]);
    }
  }
});

Deno.test("transition() goes on holding the old login when the new one fails for a cause that is mended from outside", () => {
  const refused = then(loggingIn(dropped()), closedBy(405));
  assert.equal(refused.snapshot.session.status, "error");
  assert.equal(refused.snapshot.predecessor, true);
  assert.deepEqual(refused.effects, []);
  const again = scanned(refused);
  assert.equal(again.snapshot.predecessor, true);
  assert.deepEqual(asked(online(refused)), ["confirm"]);
});

Deno.test("transition() holds the login that last worked, and no other, when scan follows upon scan", () => {
  const twice = scanned(then(loggingIn(dropped()), closedBy(428)));
  assert.equal(twice.snapshot.predecessor, true);
  const lost = then(then(twice, unpairedBy(515)), closedBy(401));
  assert.deepEqual(asked(lost), ["revert", "ask_admission"]);
});

Deno.test("transition() retires both logins when the system gives the session up while one is held", () => {
  for (
    const [place, closes] of [
      [scanned(dropped()), ["close_pairing_socket"]],
      [loggingIn(dropped()), ["close_login_socket"]],
      [then(loggingIn(dropped()), closedBy(428)), []],
    ] as const
  ) {
    const out = then(place, { type: "disconnected", reason: "LOGOUT" });
    assert.deepEqual(asked(out), ["retire", ...closes]);
    assert.equal(out.snapshot.link, "none");
    assert.equal(out.snapshot.predecessor, false);
    assert.deepEqual(out.snapshot.session.lastError, lastErrorOf("LOGOUT"));
    assert.ok(isAtRest(out.snapshot));
  }
});

Deno.test("transition() confirms or goes back to the old login after a restart as well", () => {
  for (const place of [scanned(dropped()), loggingIn(dropped())]) {
    const login = then(restarted(place), { type: "admitted" });
    assert.equal(login.snapshot.predecessor, true);
    assert.deepEqual(asked(then(login, socketConnected)), ["confirm"]);
    assert.deepEqual(asked(then(login, closedBy(401))), ["revert", "ask_admission"]);
  }
});
