import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { judge, type Session, type SessionStatus, transition } from "../../domain/mod.ts";
import { atEveryMoment, deepFreeze, type Moment } from "./world.ts";

/** Everything that a row holds besides `updated_at`. */
function content({ updatedAt: _, ...rest }: Session): Omit<Session, "updatedAt"> {
  return rest;
}

/** WhatsApp, or a trusted part of the system, says that the link is gone. */
function isLogout({ before, event }: Moment): boolean {
  if (event.type === "disconnected") return event.reason === "LOGOUT";
  if (event.type !== "closed" || judge(event.cause).kind !== "logged_out") return false;
  // A pairing socket speaks of the login that it did not get, not of the one that was there before.
  return ["paired", "login", "open"].includes(before.activity.kind);
}

Deno.test("transition() sets updated_at to now exactly when another field changes", () => {
  atEveryMoment((moment) => {
    const { before, after, at } = moment;
    const same = isDeepStrictEqual(content(before.session), content(after.session));
    if (same) assert.equal(after.session.updatedAt, before.session.updatedAt);
    else assert.equal(after.session.updatedAt, at.now);
  });
});

Deno.test("transition() returns the very same session when nothing in it changes", () => {
  atEveryMoment((moment) => {
    const { before, after } = moment;
    if (isDeepStrictEqual(content(before.session), content(after.session))) {
      assert.equal(after.session, before.session);
    }
  });
});

Deno.test("transition() never touches instance_id or created_at, whatever happens", () => {
  atEveryMoment(({ before, after }) => {
    assert.equal(after.session.instanceId, before.session.instanceId);
    assert.equal(after.session.createdAt, before.session.createdAt);
  });
});

Deno.test("transition() gives the same answer when it is asked the same again", () => {
  // The world freezes every input, so that writing to one of them would throw there.
  atEveryMoment(({ before, event, at, after, effects }) => {
    assert.deepEqual(transition(before, event, at), { life: after, effects });
  });
});

Deno.test("transition() changes nothing in the session when an internal event is repeated later", () => {
  atEveryMoment(({ event, at, after }) => {
    const internal = event.type === "disconnected" ||
      (event.type === "connected" && event.source === "internal");
    if (!internal) return;
    const again = transition(deepFreeze(after), event, { ...at, now: at.now + 12_345 });
    assert.equal(again.life.session, after.session);
    assert.deepEqual(again.effects, []);
    assert.equal(again.life.activity, after.activity);
  });
});

Deno.test("transition() keeps the first connected_at when connected comes twice", () => {
  atEveryMoment(({ before, event, after }) => {
    if (event.type !== "connected" || after.session.status !== "connected") return;
    // A row of another system's may not know since when; then the first that is known is kept.
    const repeated = before.session.status === "connected" && before.session.connectedAt !== null &&
      (event.phoneNumber === null || event.phoneNumber === before.session.phoneNumber);
    if (repeated) assert.equal(after.session.connectedAt, before.session.connectedAt);
  });
});

Deno.test("transition() erases link and QR and keeps phone_number when the session is logged out", () => {
  atEveryMoment((moment) => {
    if (!isLogout(moment)) return;
    const { before, after } = moment;
    assert.equal(after.link, "none");
    assert.equal(after.activity.kind, "idle");
    assert.equal(after.session.status, "disconnected");
    assert.equal(after.session.lastError?.code, "LOGOUT");
    assert.deepEqual(after.session.qr, { status: "none" });
    assert.equal(after.session.phoneNumber, before.session.phoneNumber);
  });
});

Deno.test("transition() drops a link only when the session is logged out", () => {
  atEveryMoment((moment) => {
    if (moment.before.link !== "none" && moment.after.link === "none") assert.ok(isLogout(moment));
  });
});

Deno.test("transition() leaves error only by a QR, a scan, connected, LOGOUT or a restart that may mend it", () => {
  const mended = new Set(["CLIENT_OUTDATED", "CREDENTIALS_UNREADABLE"]);
  atEveryMoment((moment) => {
    const { before, event, after } = moment;
    if (before.session.status !== "error" || after.session.status === "error") return;
    const byRestart = event.type === "restored" && before.link === "working" &&
      mended.has(before.session.lastError.code);
    // A scan without a QR is a word that only a socket of long ago can say.
    const byPhone = event.type === "qr" || event.type === "paired" || event.type === "connected";
    assert.ok(byRestart || byPhone || isLogout(moment), `left error by ${event.type}`);
  });
});

Deno.test("transition() keeps the error's words when it stays in error without a new fault", () => {
  atEveryMoment(({ before, event, after }) => {
    if (before.session.status !== "error" || after.session.status !== "error") return;
    const fault = event.type === "closed" || event.type === "passkey_demanded" ||
      event.type === "credentials_unreadable";
    if (!fault) assert.equal(after.session, before.session);
  });
});

Deno.test("transition() moves to no status that the table does not name for the event", () => {
  const allowed: Readonly<Record<Moment["event"]["type"], readonly SessionStatus[]>> = {
    qr_requested: [],
    qr: ["qr_required"],
    paired: ["connecting"],
    passkey_demanded: ["error"],
    admitted: ["connecting"],
    connected: ["connected"],
    disconnected: ["disconnected"],
    closed: ["connecting", "disconnected", "error"],
    credentials_unreadable: ["error"],
    restored: ["connecting", "disconnected"],
    stopping: ["disconnected"],
    tick: ["disconnected"],
  };
  atEveryMoment(({ before, event, after }) => {
    if (after.session.status === before.session.status) return;
    assert.ok(allowed[event.type].includes(after.session.status), `${event.type} → ${after.session.status}`);
  });
});

Deno.test("transition() changes phone_number and connected_at only when the word connected is believed", () => {
  atEveryMoment(({ before, event, after }) => {
    const { phoneNumber, connectedAt, disconnectedAt } = after.session;
    const believed = event.type === "connected" &&
      (event.source === "internal" || before.activity.kind === "login");
    if (believed) {
      assert.equal(after.session.status, "connected");
      assert.equal(phoneNumber, event.phoneNumber ?? before.session.phoneNumber);
      assert.equal(disconnectedAt, null);
      assert.equal(after.session.lastError, null);
    } else {
      assert.equal(phoneNumber, before.session.phoneNumber);
      assert.equal(connectedAt, before.session.connectedAt);
    }
  });
});

Deno.test("transition() sets disconnected_at to now when the session becomes disconnected", () => {
  atEveryMoment(({ before, after, at }) => {
    if (after.session.status === "disconnected" && before.session.status !== "disconnected") {
      assert.equal(after.session.disconnectedAt, at.now);
    }
  });
});
