import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { asOf } from "../../domain/qr.ts";
import { isAtRest, isLoginWorking, isPairing, type SessionSnapshot } from "../../domain/snapshot.ts";
import { KEEP } from "../../domain/credentials.ts";
import type { Session } from "../../domain/session.ts";
import type { SessionStatus } from "@session-manager/contract";
import { transition } from "../../domain/transition.ts";
import { atEveryMoment, deepFreeze, forEveryStory, isLoginLost, isUnscanned, type Moment } from "./world.ts";

/** Everything that a row holds besides `updated_at`. */
function content({ updatedAt: _, ...rest }: Session): Omit<Session, "updatedAt"> {
  return rest;
}

/** WhatsApp, or a trusted part of the system, says that the link is gone, and none is held to go back to. */
function isLogout(moment: Moment): boolean {
  const { before, event } = moment;
  if (event.type === "disconnected") return event.reason === "LOGOUT";
  return isLoginLost(moment) && !before.predecessor;
}

/** Whether the QR is what the session is told as, not its login. */
function isToldAsQr(snapshot: SessionSnapshot): boolean {
  return isPairing(snapshot) && snapshot.session.status === "qr_required";
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
  atEveryMoment(({ before, event, at, after, change, told, effects }) => {
    assert.deepEqual(transition(before, event, at), {
      snapshot: after,
      credentials: change,
      events: told,
      effects,
    });
  });
});

Deno.test("transition() changes nothing in the session when an internal event is repeated later", () => {
  atEveryMoment(({ event, at, after }) => {
    const internal = event.type === "disconnected" ||
      (event.type === "connected" && event.source === "internal" && !at.tearingDown);
    if (!internal) return;
    const later = { ...at, now: at.now + 12_345, steady: at.steady + 12_345 };
    const again = transition(deepFreeze(after), event, later);
    assert.deepEqual(again, { snapshot: after, credentials: KEEP, events: [], effects: [] });
    assert.equal(again.snapshot.session, after.session);
  });
});

Deno.test("transition() changes nothing when told connected while a socket of the session is being torn down", () => {
  atEveryMoment(({ before, event, at, after, effects }) => {
    if (event.type !== "connected" || event.source !== "internal" || !at.tearingDown) return;
    // What time alone has changed is told whatever is heard.
    assert.deepEqual(after, { ...before, session: asOf(before.session, at.now) });
    assert.deepEqual(effects, []);
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
    const { before, event, after } = moment;
    if (!isLogout(moment)) return;
    assert.equal(after.link, "none");
    assert.equal(after.session.phoneNumber, before.session.phoneNumber);
    // What WhatsApp says of a login does not take away the QR that is shown beside it.
    if (event.type === "login_closed" && isToldAsQr(before)) return;
    assert.equal(after.login.kind, "idle");
    assert.equal(after.session.status, "disconnected");
    assert.equal(after.session.lastError?.code, "LOGOUT");
    assert.deepEqual(after.session.qr, { status: "none" });
    if (event.type === "disconnected") assert.ok(isAtRest(after));
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
    // A scan without a QR is what only a socket of long ago can report.
    const byPhone = event.type === "qr" || event.type === "paired" || event.type === "connected";
    assert.ok(byRestart || byPhone || isLogout(moment), `left error by ${event.type}`);
  });
});

Deno.test("transition() keeps the error's sentence when it stays in error without a new fault", () => {
  atEveryMoment(({ before, event, after }) => {
    if (before.session.status !== "error" || after.session.status !== "error") return;
    const fault = event.type === "pairing_closed" || event.type === "login_closed" ||
      event.type === "passkey_demanded" ||
      event.type === "credentials_unreadable";
    if (!fault) assert.equal(after.session, before.session);
  });
});

Deno.test("transition() moves to no status that the table does not name for the event", () => {
  const allowed: Readonly<Record<Moment["event"]["type"], readonly SessionStatus[]>> = {
    qr_requested: [],
    qr: ["qr_required"],
    paired: ["connecting"],
    // Refused beside a login that works, it is told as what that is.
    passkey_demanded: ["error", "connecting", "disconnected"],
    admitted: ["connecting"],
    connected: ["connected"],
    // A login that failed beside a QR is told as what it is, once that QR is closed.
    disconnected: ["disconnected", "error"],
    pairing_closed: ["connecting", "disconnected", "error"],
    login_closed: ["connecting", "disconnected", "error"],
    credentials_unreadable: ["error"],
    restored: ["connecting", "disconnected"],
    stopping: ["disconnected"],
    // The end of a pairing is told as what the login is by then.
    tick: ["disconnected", "connecting", "error"],
  };
  atEveryMoment(({ before, event, after }) => {
    if (after.session.status === before.session.status) return;
    assert.ok(allowed[event.type].includes(after.session.status), `${event.type} → ${after.session.status}`);
    if (event.type === "disconnected" && after.session.status === "error") {
      assert.equal(before.login.kind, "failed");
    }
  });
});

Deno.test("transition() changes phone_number and connected_at only when connected is believed", () => {
  atEveryMoment(({ before, event, at, after }) => {
    const { phoneNumber, connectedAt, disconnectedAt } = after.session;
    const believed = event.type === "connected" &&
      (event.source === "internal" ? !at.tearingDown : before.login.kind === "login");
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

// ── What is told, and what is so ─────────────────────────────────────────────────────────────────

Deno.test("transition() tells connecting only while a login is on its way or a pairing goes on with its restart", () => {
  atEveryMoment(({ after: { session, login, pairing } }) => {
    if (session.status !== "connecting") return;
    assert.ok(login.kind === "queued" || login.kind === "login" || pairing.kind === "paired");
  });
});

Deno.test("transition() tells connecting only while no pairing socket is at work that may still bring a QR", () => {
  // A call that waits for that QR would be refused as connecting.
  atEveryMoment(({ after }) => {
    if (after.session.status === "connecting") assert.ok(!isPairing(after));
  });
});

Deno.test("transition() tells connected when a login is open, and shows no QR beside it", () => {
  atEveryMoment(({ after }) => {
    if (after.login.kind !== "open") return;
    assert.equal(after.session.status, "connected");
    assert.deepEqual(after.pairing, { kind: "none" });
  });
});

Deno.test("transition() tells connected only while a login is open or since the system has said so", () => {
  forEveryStory((moments) => {
    let isSaid = false;
    for (const { event, after, at } of moments) {
      if (after.session.status !== "connected") isSaid = false;
      else if (event.type === "connected" && event.source === "internal" && !at.tearingDown) isSaid = true;
      // A row may have been left as connected by a process that is gone.
      else if (event.type === "restored") isSaid = true;
      if (after.session.status === "connected") assert.ok(isSaid || after.login.kind === "open");
    }
  });
});

Deno.test("transition() lets a login that works rest only in an error, or while its pairing goes on", () => {
  atEveryMoment(({ after: { session, link, login, pairing } }) => {
    if (link !== "working" || pairing.kind === "paired") return;
    if (login.kind === "idle") assert.equal(session.status, "error");
  });
});

Deno.test("transition() does nothing for the login while the session is in error", () => {
  atEveryMoment(({ after: { session, login, pairing } }) => {
    if (session.status !== "error") return;
    assert.deepEqual(login, { kind: "idle" });
    assert.notEqual(pairing.kind, "paired");
  });
});

Deno.test("transition() keeps a login's failure to itself only while a QR is what the session is told as", () => {
  atEveryMoment(({ after }) => {
    if (after.login.kind === "failed") assert.ok(isToldAsQr(after));
  });
});

Deno.test("transition() tells a login's failure when the pairing beside it ends without a scan", () => {
  atEveryMoment((moment) => {
    const { before, event, after } = moment;
    if (!isUnscanned(moment) || before.login.kind !== "failed") return;
    assert.equal(after.session.status, after.session.lastError?.code === "LOGOUT" ? "disconnected" : "error");
    // A pairing that is refused says what stands in the way by now.
    if (event.type === "tick") assert.equal(after.session.lastError?.code, before.login.code);
  });
});

Deno.test("transition() tells a refused pairing as an error only where no login works", () => {
  atEveryMoment((moment) => {
    const { before, after } = moment;
    if (!isUnscanned(moment) || !isLoginWorking(before)) return;
    assert.notEqual(after.session.status, "error");
  });
});

Deno.test("transition() tells the session as what its QR is, whatever becomes of the login beside it", () => {
  const ofTheLogin = new Set(["login_closed", "credentials_unreadable", "admitted"]);
  atEveryMoment(({ before, event, at, after }) => {
    if (!isToldAsQr(before) || !ofTheLogin.has(event.type)) return;
    assert.deepEqual(after.session, asOf(before.session, at.now));
  });
});

Deno.test("transition() is told what became of the login, and nothing of a QR, when the login succeeds first", () => {
  atEveryMoment(({ before, event, after, effects }) => {
    if (event.type !== "connected" || event.source !== "socket") return;
    if (before.login.kind !== "login" || !isPairing(before)) return;
    assert.equal(after.session.status, "connected");
    assert.notEqual(after.session.qr.status, "generated");
    assert.ok(effects.some(({ type }) => type === "close_pairing_socket"));
  });
});
