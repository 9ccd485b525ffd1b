import assert from "node:assert/strict";
import {
  type Instant,
  type Life,
  nextTick,
  type Policy,
  type SessionEvent,
  transition,
} from "../../domain/mod.ts";
import { atEveryMoment } from "./world.ts";

/** How often in a row a story may stand still: a QR's expiry, its socket's end, a wait of no length. */
const STANDSTILLS = 5;

/** What is left of the world when nobody speaks any more: time, and the turn that was asked for. */
function nextEvent(life: Life): SessionEvent | null {
  if (life.activity.kind === "queued") return { type: "admitted" };
  return nextTick(life) === null ? null : { type: "tick" };
}

interface Quiet {
  readonly life: Life;
  readonly now: Instant;
}

/** Every life that follows in silence, the first one included; `reply` may answer for the socket. */
function* inSilence(
  start: Quiet,
  policy: Policy,
  reply: (life: Life) => SessionEvent | null = () => null,
): Generator<Quiet> {
  let { life, now } = start;
  while (true) {
    yield { life, now };
    const event = reply(life) ?? nextEvent(life);
    if (event === null) return;
    if (event.type === "tick") now = Math.max(now, nextTick(life) ?? now);
    life = transition(life, event, { now, random: 0.5, policy }).life;
  }
}

Deno.test("nextTick() names an instant when a socket is pairing, paired or logging in, or a wait runs", () => {
  const bounded = new Set(["pairing", "paired", "login", "waiting"]);
  atEveryMoment(({ after }) => {
    if (bounded.has(after.activity.kind)) assert.notEqual(nextTick(after), null);
  });
});

Deno.test("nextTick() names no instant when nothing is waited for", () => {
  atEveryMoment(({ after }) => {
    if (after.activity.kind === "idle" || after.activity.kind === "queued") {
      assert.equal(nextTick(after), null);
    }
  });
});

Deno.test("transition() has something to do when it is ticked at nextTick(), and nothing before", () => {
  atEveryMoment(({ after, at }) => {
    const due = nextTick(after);
    if (due === null) return;
    if (due > at.now) {
      const early = transition(after, { type: "tick" }, { ...at, now: due - 1 });
      assert.equal(early.life, after);
      assert.deepEqual(early.effects, []);
    }
    const { life } = transition(after, { type: "tick" }, { ...at, now: Math.max(at.now, due) });
    assert.notEqual(life, after);
  });
});

Deno.test("transition() makes progress when it is ticked at nextTick() again and again", () => {
  atEveryMoment(({ after, at }) => {
    let standstills = 0;
    let last = at.now;
    let seen = 0;
    for (const { now } of inSilence({ life: after, now: at.now }, at.policy)) {
      standstills = now === last ? standstills + 1 : 0;
      assert.ok(standstills <= STANDSTILLS, "time stands still");
      last = now;
      if (++seen === 30) return;
    }
  });
});

Deno.test("transition() leaves connecting within its deadline when nothing more is heard", () => {
  atEveryMoment(({ after, at }) => {
    if (after.session.status !== "connecting") return;
    const bound = Math.max(at.policy.restartMs, at.policy.loginMs);
    for (const { life, now } of inSilence({ life: after, now: at.now }, at.policy)) {
      assert.ok(now <= at.now + bound, "connecting outlived its deadline");
      if (life.session.status === "connecting") continue;
      assert.equal(life.session.status, "disconnected");
      assert.equal(life.session.lastError?.code, "TIMEOUT");
      return;
    }
    assert.fail("connecting for ever");
  });
});

Deno.test("transition() shows no QR and holds no pairing socket for ever when nothing more is heard", () => {
  atEveryMoment(({ after, at }) => {
    if (after.activity.kind !== "pairing") return;
    const bound = after.activity.deadline;
    for (const { life, now } of inSilence({ life: after, now: at.now }, at.policy)) {
      assert.ok(now <= Math.max(bound, at.now));
      if (life.activity.kind === "pairing") continue;
      assert.notEqual(life.session.qr.status, "generated");
      return;
    }
    assert.fail("pairing for ever");
  });
});

Deno.test("transition() comes back by itself when it was on its way and WhatsApp answers every login", () => {
  const reply = ({ activity }: Life): SessionEvent | null =>
    activity.kind === "login"
      ? { type: "connected", phoneNumber: "+5491155550001", source: "socket" }
      : activity.kind === "paired"
      ? { type: "closed", cause: { origin: "whatsapp", code: 515 } }
      : null;
  const onItsWay = new Set(["queued", "waiting", "login", "paired"]);
  atEveryMoment(({ after, at }) => {
    if (!onItsWay.has(after.activity.kind)) return;
    for (const { life } of inSilence({ life: after, now: at.now }, at.policy, reply)) {
      if (life.activity.kind !== "open") continue;
      assert.equal(life.session.status, "connected");
      return;
    }
    assert.fail("never came back");
  });
});

Deno.test("transition() forgets earlier failures only when the connection has held until stableAt", () => {
  atEveryMoment(({ before, event, after, at }) => {
    if (before.activity.kind !== "open" || after.activity.kind !== "open") return;
    if (before.activity.attempt === after.activity.attempt) return;
    assert.equal(event.type, "tick");
    assert.equal(after.activity.attempt, 0);
    assert.ok(at.now >= before.activity.stableAt);
  });
});
