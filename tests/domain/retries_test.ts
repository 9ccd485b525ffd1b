/** A login that works comes back by itself: when it is tried again, and how long each step may take. */
import assert from "node:assert/strict";
import { failuresOf } from "../../domain/moves.ts";
import {
  asked,
  closedBy,
  created,
  dropped,
  dueIn,
  failed,
  loggingIn,
  online,
  pairing,
  POLICY,
  queued,
  restarted,
  returning,
  scanned,
  showingQr,
  showingQrOverFailure,
  socketConnected,
  steadyAt,
  then,
  thenDue,
} from "./journeys.ts";

Deno.test("transition() is disconnected, waits, connects and is connected when a working login drops", () => {
  const drop = then(online(), closedBy(503));
  assert.equal(drop.snapshot.session.status, "disconnected");
  assert.equal(drop.snapshot.session.lastError?.code, "NETWORK");
  // Half of the first delay's bound, for a random of one half.
  assert.deepEqual(drop.snapshot.login, {
    kind: "waiting",
    failures: { attempts: 1, since: steadyAt(drop.now) },
    reason: "NETWORK",
    until: steadyAt(drop.now) + 1_000,
  });
  const early = then(drop, { type: "tick" }, 999);
  assert.equal(early.snapshot, drop.snapshot);
  const turn = then(drop, { type: "tick" }, 1_000);
  assert.deepEqual(asked(turn), ["ask_admission"]);
  assert.equal(turn.snapshot.session.status, "disconnected");
  const login = then(turn, { type: "admitted" });
  assert.equal(login.snapshot.session.status, "connecting");
  // Only a QR or the connection itself takes back what was said of the drop.
  assert.equal(login.snapshot.session.lastError?.code, "NETWORK");
  assert.equal(then(login, socketConnected).snapshot.session.status, "connected");
});

Deno.test("transition() waits longer after each failure, and as at first when a connection has held", () => {
  const first = dropped();
  let place = then(thenDue(first), { type: "admitted" });
  for (const [attempts, waitMs] of [[2, 3_000], [3, 6_000], [4, 7_500]] as const) {
    const lost = then(place, closedBy(428));
    assert.deepEqual(lost.snapshot.login, {
      kind: "waiting",
      failures: { attempts, since: steadyAt(first.now) },
      reason: "NETWORK",
      until: steadyAt(lost.now) + waitMs,
    });
    place = then(thenDue(lost), { type: "admitted" });
  }
  const back = then(place, socketConnected);
  assert.equal(then(back, { type: "tick" }, POLICY.stableMs - 1).snapshot, back.snapshot);
  assert.equal(failuresOf(then(back, closedBy(428)).snapshot)?.attempts, 5);
  const stable = then(back, { type: "tick" }, POLICY.stableMs);
  assert.equal(failuresOf(stable.snapshot), null);
  const again = then(stable, closedBy(428));
  assert.deepEqual(failuresOf(again.snapshot), { attempts: 1, since: steadyAt(again.now) });
});

Deno.test("transition() logs in again immediately when WhatsApp asks an open socket to restart", () => {
  const next = then(online(), closedBy(515));
  assert.equal(next.snapshot.session.status, "connecting");
  assert.deepEqual(next.snapshot.login, {
    kind: "login",
    failures: { attempts: 1, since: steadyAt(next.now) },
    deadline: steadyAt(next.now) + POLICY.loginMs,
  });
  assert.deepEqual(asked(next), ["open_login_socket"]);
});

Deno.test("transition() is disconnected and waits when WhatsApp asks for a restart in the middle of a login", () => {
  const next = then(loggingIn(), closedBy(515));
  assert.equal(next.snapshot.session.lastError?.code, "UNKNOWN");
  assert.equal(next.snapshot.login.kind, "waiting");
});

for (
  const [where, place, boundMs, closes] of [
    ["the login does not succeed", loggingIn(), POLICY.loginMs, "close_login_socket"],
    ["the restart after the pairing does not come", scanned(), POLICY.restartMs, "close_pairing_socket"],
  ] as const
) {
  Deno.test(`transition() is disconnected by TIMEOUT and tried again when ${where} in time`, () => {
    assert.equal(then(place, { type: "tick" }, boundMs - 1).snapshot, place.snapshot);
    const late = then(place, { type: "tick" }, boundMs);
    assert.equal(late.snapshot.session.status, "disconnected");
    assert.equal(late.snapshot.session.lastError?.code, "TIMEOUT");
    assert.equal(late.snapshot.login.kind, "waiting");
    assert.deepEqual(late.snapshot.pairing, { kind: "none" });
    assert.deepEqual(asked(late), [closes]);
  });
}

Deno.test("transition() is disconnected by TIMEOUT and asks again when its turn to log in does not come in time", () => {
  const asking = restarted(online());
  assert.equal(asking.snapshot.session.status, "connecting");
  assert.equal(then(asking, { type: "tick" }, POLICY.queueMs - 1).snapshot, asking.snapshot);
  const late = then(asking, { type: "tick" }, POLICY.queueMs);
  assert.equal(late.snapshot.session.status, "disconnected");
  assert.equal(late.snapshot.session.lastError?.code, "TIMEOUT");
  assert.deepEqual(late.snapshot.login, {
    kind: "queued",
    failures: null,
    reason: "TIMEOUT",
    deadline: steadyAt(late.now) + POLICY.queueMs,
  });
  assert.deepEqual(asked(late), ["ask_admission"]);
  assert.deepEqual(asked(then(late, { type: "admitted" })), ["open_login_socket"]);
});

Deno.test("transition() keeps the reason of the drop and asks again when a dropped login's turn does not come in time", () => {
  const asking = queued();
  const late = then(asking, { type: "tick" }, POLICY.queueMs);
  assert.equal(late.snapshot.session, asking.snapshot.session);
  assert.equal(late.snapshot.login.kind === "queued" && late.snapshot.login.reason, "NETWORK");
  assert.deepEqual(failuresOf(late.snapshot), failuresOf(asking.snapshot));
  assert.deepEqual(asked(late), ["ask_admission"]);
});

Deno.test("nextTickMs() names the nearest deadline of pairing, QR and login, and none when nothing is waited for", () => {
  const shaky = then(returning(), socketConnected);
  const due = [
    [created(), null],
    [failed("ACCOUNT_FORBIDDEN"), null],
    [showingQrOverFailure(), 57_000],
    [pairing(), POLICY.firstQrMs],
    [showingQr(), 60_000],
    [scanned(), POLICY.restartMs],
    [loggingIn(), POLICY.loginMs],
    [online(), null],
    [shaky, POLICY.stableMs],
    [dropped(), 1_000],
    [queued(), POLICY.queueMs],
    // The login's turn is nearer than the QR's expiry, and by now overdue.
    [showingQr(dropped()), -1_000],
  ] as const;
  for (const [place, ms] of due) assert.equal(dueIn(place), ms);
});
