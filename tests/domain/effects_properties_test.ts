import assert from "node:assert/strict";
import { KEEP } from "../../domain/credentials.ts";
import type { Effect } from "../../domain/events.ts";
import { hasLoginSocket, hasPairingSocket, isPairing } from "../../domain/snapshot.ts";
import { judge } from "../../domain/disconnect.ts";
import { atEveryMoment, isLoginLost, isUnscanned, refusalOfLogin } from "./world.ts";

const opens = ({ type }: Effect) => type === "open_pairing_socket" || type === "open_login_socket";
const count = (effects: readonly Effect[], type: Effect["type"]) =>
  effects.filter((effect) => effect.type === type).length;

Deno.test("transition() asks only for effects that make sense when they are carried out in order", () => {
  // No socket opened over another of its kind, none closed that is not there, no credentials taken from nowhere.
  atEveryMoment(({ faults }) => assert.deepEqual(faults, []));
});

Deno.test("transition() opens at most one socket, and closes at most one of each kind, when anything happens", () => {
  atEveryMoment(({ effects }) => {
    assert.ok(effects.filter(opens).length <= 1);
    assert.ok(count(effects, "close_pairing_socket") <= 1);
    assert.ok(count(effects, "close_login_socket") <= 1);
  });
});

Deno.test("hasPairingSocket() and hasLoginSocket() agree with the sockets that effects opened and closed", () => {
  atEveryMoment(({ after, socketsAfter }) => {
    assert.equal(hasPairingSocket(after), socketsAfter.pairing !== null);
    assert.equal(hasLoginSocket(after), socketsAfter.login !== null);
  });
});

Deno.test("transition() opens a pairing socket only when the Hub asked for a QR", () => {
  atEveryMoment(({ event, effects }) => {
    if (count(effects, "open_pairing_socket") > 0) assert.equal(event.type, "qr_requested");
  });
});

Deno.test("transition() asks for admission exactly when the login is queued, or queued anew", () => {
  atEveryMoment(({ before, after, effects }) => {
    const isQueued = after.login.kind === "queued" && after.login !== before.login;
    assert.equal(count(effects, "ask_admission"), isQueued ? 1 : 0);
  });
});

Deno.test("transition() asks for admission again only when the turn has not come by its deadline", () => {
  atEveryMoment(({ before, event, at, effects }) => {
    if (before.login.kind !== "queued" || count(effects, "ask_admission") === 0) return;
    assert.equal(event.type, "tick");
    assert.ok(at.steady >= before.login.deadline);
  });
});

Deno.test("transition() adopts credentials exactly when a pairing is accepted, and holds a login that works", () => {
  atEveryMoment(({ before, event, after, change }) => {
    const accepted = event.type === "paired" && isPairing(before);
    assert.equal(change.kind === "adopt", accepted);
    if (!accepted) return;
    assert.equal(after.link, "working");
    assert.equal(after.predecessor, before.predecessor || before.link === "working");
    assert.equal(hasLoginSocket(after), false);
  });
});

Deno.test("transition() confirms credentials exactly when a login succeeds for whose sake an older one is held", () => {
  atEveryMoment(({ before, event, after, change }) => {
    const succeeds = event.type === "connected" && event.source === "socket" && before.login.kind === "login";
    assert.equal(change.kind === "confirm", succeeds && before.predecessor);
    if (succeeds) assert.equal(after.predecessor, false);
  });
});

Deno.test("transition() goes back to the held login exactly when the new one does not exist or may not be used", () => {
  atEveryMoment((moment) => {
    const { before, after, change } = moment;
    const refusal = refusalOfLogin(moment);
    const reverts = (refusal !== null || isLoginLost(moment)) && before.predecessor;
    assert.equal(change.kind === "revert", reverts);
    if (change.kind !== "revert") return;
    // Whoever else uses it goes on with it; one that does not exist need not be unlinked.
    assert.equal(change.retiredId !== null, refusal !== null && refusal !== "LOGGED_IN_ELSEWHERE");
    assert.equal(after.link, "working");
    assert.equal(after.predecessor, false);
    assert.equal(after.login.kind, "queued");
  });
});

Deno.test("transition() erases credentials exactly when WhatsApp says that the only login does not exist", () => {
  atEveryMoment((moment) => {
    const erases = isLoginLost(moment) && !moment.before.predecessor;
    assert.equal(moment.change.kind === "erase", erases);
    if (erases) assert.equal(moment.after.link, "none");
  });
});

Deno.test("transition() retires credentials exactly when the system gives up a login that there is", () => {
  atEveryMoment(({ before, event, after, change }) => {
    const isGivenUp = event.type === "disconnected" && event.reason === "LOGOUT";
    const had = before.link !== "none" || before.predecessor;
    assert.equal(change.kind === "retire", isGivenUp && had);
    if (isGivenUp) assert.deepEqual([after.link, after.predecessor], ["none", false]);
  });
});

Deno.test("transition() suspends credentials exactly when the link becomes suspended", () => {
  atEveryMoment(({ before, after, change }) => {
    const becameSuspended = after.link === "suspended" && before.link !== "suspended";
    assert.equal(change.kind === "suspend", becameSuspended);
  });
});

Deno.test("transition() calls a login contested exactly when another client has replaced it", () => {
  atEveryMoment(({ event, change }) => {
    if (change.kind !== "suspend") return;
    assert.ok(event.type === "login_closed" || event.type === "pairing_closed");
    const verdict = judge(event.cause);
    assert.equal(
      change.contested,
      verdict.kind === "unrecoverable" && verdict.code === "LOGGED_IN_ELSEWHERE",
    );
  });
});

Deno.test("transition() knows what the store holds when the effects on credentials are carried out", () => {
  atEveryMoment(({ after: { link, predecessor }, credentials }) => {
    assert.deepEqual({ link, held: predecessor }, credentials);
  });
});

Deno.test("transition() holds an older login only for the sake of a newer one", () => {
  atEveryMoment(({ after: { link, predecessor, login } }) => {
    if (!predecessor) return;
    assert.notEqual(link, "none");
    assert.notEqual(login.kind, "open");
  });
});

Deno.test("transition() wants to log in, or is logged in, only when the link is working", () => {
  const needsLink = new Set(["queued", "login", "open", "waiting"]);
  atEveryMoment(({ after: { link, login, pairing } }) => {
    if (needsLink.has(login.kind) || pairing.kind === "paired") assert.equal(link, "working");
  });
});

Deno.test("transition() unlinks the device only when it closes a login's socket for a LOGOUT", () => {
  atEveryMoment(({ event, effects }) => {
    const isLogout = event.type === "disconnected" && event.reason === "LOGOUT";
    for (const effect of effects) {
      if (effect.type === "close_login_socket") assert.equal(effect.unlink, isLogout);
    }
  });
});

Deno.test("transition() closes no socket when one has just ended", () => {
  atEveryMoment(({ event, effects }) => {
    if (event.type !== "pairing_closed" && event.type !== "login_closed") return;
    assert.equal(count(effects, "close_pairing_socket"), 0);
    assert.equal(count(effects, "close_login_socket"), 0);
  });
});

Deno.test("transition() leaves the credentials and the login alone when a pairing ends unscanned", () => {
  atEveryMoment((moment) => {
    const { before, after, effects } = moment;
    if (!isUnscanned(moment)) return;
    assert.equal(after.link, before.link);
    assert.equal(after.predecessor, before.predecessor);
    // A login that has failed is told as such from now on, and forgotten here.
    assert.deepEqual(after.login, before.login.kind === "failed" ? { kind: "idle" } : before.login);
    assert.deepEqual(moment.change, KEEP);
    assert.deepEqual(effects.filter(({ type }) => type !== "close_pairing_socket"), []);
  });
});

Deno.test("transition() leaves a pairing alone when its login drops, fails, is lost, waits or opens beside it", () => {
  const ofTheLogin = new Set(["login_closed", "credentials_unreadable", "admitted"]);
  atEveryMoment(({ before, event, after, effects }) => {
    if (!ofTheLogin.has(event.type)) return;
    assert.equal(after.pairing, before.pairing);
    assert.equal(count(effects, "close_pairing_socket"), 0);
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
    assert.ok(isPairing(after));
    assert.equal(after.login, before.login);
  });
});
