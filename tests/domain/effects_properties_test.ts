import assert from "node:assert/strict";
import { type Effect, hasSocket, judge } from "../../domain/mod.ts";
import { atEveryMoment } from "./world.ts";

const opens = ({ type }: Effect) => type === "open_pairing_socket" || type === "open_login_socket";
const count = (effects: readonly Effect[], type: Effect["type"]) =>
  effects.filter((effect) => effect.type === type).length;

Deno.test("transition() asks only for effects that make sense when they are carried out in order", () => {
  // No socket opened over another, none closed that is not there, no credentials taken from nowhere.
  atEveryMoment(({ faults }) => assert.deepEqual(faults, []));
});

Deno.test("transition() opens and closes at most one socket when anything happens", () => {
  atEveryMoment(({ effects }) => {
    assert.ok(effects.filter(opens).length <= 1);
    assert.ok(count(effects, "close_socket") <= 1);
  });
});

Deno.test("hasSocket() agrees with the sockets that effects opened and closed, whatever happens", () => {
  atEveryMoment(({ after: { activity }, socketAfter }) => {
    assert.equal(hasSocket(activity), socketAfter !== null);
    if (activity.kind === "pairing") assert.equal(socketAfter?.kind, "pairing");
    if (activity.kind === "login" || activity.kind === "open") assert.equal(socketAfter?.kind, "login");
  });
});

Deno.test("transition() opens a pairing socket only when the Hub asked for a QR", () => {
  atEveryMoment(({ event, effects }) => {
    if (count(effects, "open_pairing_socket") > 0) assert.equal(event.type, "qr_requested");
  });
});

Deno.test("transition() asks for admission exactly when the session becomes queued", () => {
  atEveryMoment(({ before, after, effects }) => {
    const becameQueued = after.activity.kind === "queued" && before.activity.kind !== "queued";
    assert.equal(count(effects, "ask_admission"), becameQueued ? 1 : 0);
  });
});

Deno.test("transition() adopts credentials exactly when a pairing is accepted", () => {
  atEveryMoment(({ before, event, after, effects }) => {
    const accepted = event.type === "paired" && before.activity.kind === "pairing";
    assert.equal(count(effects, "adopt_credentials"), accepted ? 1 : 0);
    if (accepted) assert.equal(after.link, "working");
  });
});

Deno.test("transition() erases credentials exactly when the link becomes none", () => {
  atEveryMoment(({ before, after, effects }) => {
    const becameNone = after.link === "none" && before.link !== "none";
    assert.equal(count(effects, "erase_credentials"), becameNone ? 1 : 0);
  });
});

Deno.test("transition() suspends credentials exactly when the link becomes suspended", () => {
  atEveryMoment(({ before, after, effects }) => {
    const becameSuspended = after.link === "suspended" && before.link !== "suspended";
    assert.equal(count(effects, "suspend_credentials"), becameSuspended ? 1 : 0);
  });
});

Deno.test("transition() knows what the store holds when the effects on credentials are carried out", () => {
  atEveryMoment(({ after, credentials }) => assert.equal(after.link, credentials));
});

Deno.test("transition() wants to log in, or is logged in, only when the link is working", () => {
  const needsLink = new Set(["queued", "login", "open", "waiting", "paired"]);
  atEveryMoment(({ after: { link, activity } }) => {
    if (needsLink.has(activity.kind)) assert.equal(link, "working");
  });
});

Deno.test("transition() unlinks the device only when it closes a login's socket for a LOGOUT", () => {
  atEveryMoment(({ event, effects, socketBefore }) => {
    if (!effects.some((effect) => effect.type === "close_socket" && effect.unlink)) return;
    assert.ok(event.type === "disconnected" && event.reason === "LOGOUT");
    assert.equal(socketBefore?.kind, "login");
  });
});

Deno.test("transition() closes no socket when the socket has just ended", () => {
  atEveryMoment(({ event, effects }) => {
    if (event.type === "closed") assert.equal(count(effects, "close_socket"), 0);
  });
});

Deno.test("transition() leaves working credentials alone when a pairing socket ends", () => {
  atEveryMoment(({ before, event, after, effects }) => {
    if (before.activity.kind !== "pairing") return;
    if (event.type !== "closed" && event.type !== "tick" && event.type !== "passkey_demanded") return;
    assert.equal(after.link, before.link);
    assert.deepEqual(effects.filter(({ type }) => type.endsWith("_credentials")), []);
  });
});

Deno.test("transition() takes working credentials up again when a QR ended unscanned", () => {
  atEveryMoment(({ before, event, after }) => {
    if (before.activity.kind !== "pairing" || before.link !== "working") return;
    const closed = event.type === "closed" && judge(event.cause).kind !== "unrecoverable";
    const timedOut = event.type === "tick" && after.activity.kind !== "pairing";
    if (!closed && !timedOut) return;
    // A session that came from `error` and never showed a QR has not taken its way out.
    assert.equal(after.activity.kind, after.session.status === "error" ? "idle" : "waiting");
  });
});

Deno.test("transition() opens nothing and asks for nothing when a pairing socket ends without a link", () => {
  atEveryMoment(({ before, event, after, effects }) => {
    if (before.activity.kind !== "pairing" || before.link === "working" || event.type !== "closed") return;
    assert.deepEqual(effects, []);
    assert.equal(after.activity.kind, "idle");
  });
});

Deno.test("transition() changes nothing when a QR is asked for while connecting or connected", () => {
  atEveryMoment(({ before, event, after, effects }) => {
    const { status } = before.session;
    if (event.type !== "qr_requested" || (status !== "connecting" && status !== "connected")) return;
    assert.equal(after, before);
    assert.deepEqual(effects, []);
  });
});

Deno.test("transition() has a pairing socket at work when a QR was asked for and may be had", () => {
  atEveryMoment(({ before, event, after }) => {
    const { status } = before.session;
    if (event.type !== "qr_requested" || status === "connecting" || status === "connected") return;
    assert.equal(after.activity.kind, "pairing");
  });
});
