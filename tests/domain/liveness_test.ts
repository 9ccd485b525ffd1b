import assert from "node:assert/strict";
import {
  hasPairingSocket,
  isAtRest,
  isLoginWorking,
  isPairing,
  nextTickMs,
  type Policy,
  type SessionSnapshot,
  type Steady,
} from "../../domain/snapshot.ts";
import type { Instant } from "../../domain/session.ts";
import type { SessionEvent } from "../../domain/events.ts";
import { transition } from "../../domain/transition.ts";
import { failuresOf } from "../../domain/moves.ts";
import { atEveryMoment } from "./world.ts";

/** How often in a row a story may stand still: a QR's expiry, two sockets' ends, a wait of no length. */
const STANDSTILLS = 8;

interface Quiet {
  readonly snapshot: SessionSnapshot;
  readonly now: Instant;
  readonly steady: Steady;
}

/** What is heard in silence besides the passing of time. */
type Reply = (snapshot: SessionSnapshot) => SessionEvent | null;

/** Its turn comes as soon as it is asked for. */
const admits: Reply = ({ login }) => login.kind === "queued" ? { type: "admitted" } : null;
/** Nothing ever comes. */
const nothing: Reply = () => null;

/** Every life that follows when nothing is heard but `reply`, the first one included. Time has to pass meanwhile. */
function* inSilence(start: Quiet, policy: Policy, reply: Reply): Generator<Quiet> {
  let { snapshot, now, steady } = start;
  let last = steady;
  let standstills = 0;
  while (true) {
    standstills = steady === last ? standstills + 1 : 0;
    assert.ok(standstills <= STANDSTILLS, "time stands still");
    last = steady;
    yield { snapshot, now, steady };
    const replied = reply(snapshot);
    const dueMs = nextTickMs(snapshot, { now, steady });
    if (replied === null && dueMs === null) return;
    if (replied === null) {
      now += Math.max(0, dueMs ?? 0);
      steady += Math.max(0, dueMs ?? 0);
    }
    const at = { now, steady, random: 0.5, tearingDown: false, retiredId: "retired-1", policy };
    snapshot = transition(snapshot, replied ?? { type: "tick" }, at).snapshot;
  }
}

Deno.test("nextTickMs() names a moment when a socket is pairing, paired or opening, or a turn or a wait is waited for", () => {
  const bounded = new Set(["queued", "login", "waiting"]);
  atEveryMoment(({ after, at }) => {
    if (bounded.has(after.login.kind) || hasPairingSocket(after)) {
      assert.notEqual(nextTickMs(after, at), null);
    }
  });
});

Deno.test("nextTickMs() names no moment when nothing is waited for", () => {
  atEveryMoment(({ after, at }) => {
    if (isAtRest(after)) assert.equal(nextTickMs(after, at), null);
  });
});

Deno.test("transition() has something to do when it is ticked at nextTickMs(), and nothing before", () => {
  atEveryMoment(({ after, at }) => {
    const dueMs = nextTickMs(after, at);
    if (dueMs === null) return;
    const tickAfter = (ms: number) =>
      transition(after, { type: "tick" }, { ...at, now: at.now + ms, steady: at.steady + ms });
    if (dueMs > 0) {
      const early = tickAfter(dueMs - 1);
      assert.equal(early.snapshot, after);
      assert.deepEqual(early.effects, []);
    }
    assert.notEqual(tickAfter(Math.max(0, dueMs)).snapshot, after);
  });
});

Deno.test("transition() makes progress when it is ticked at nextTickMs() again and again", () => {
  atEveryMoment(({ after, at }) => {
    let seen = 0;
    for (const _ of inSilence({ snapshot: after, ...at }, at.policy, admits)) if (++seen === 30) return;
  });
});

Deno.test("transition() leaves connecting within its deadlines when nothing more is heard", () => {
  atEveryMoment(({ after, at }) => {
    if (after.session.status !== "connecting") return;
    const { restartMs, queueMs, loginMs } = at.policy;
    for (
      const [reply, boundMs] of [
        [nothing, Math.max(restartMs, queueMs, loginMs)],
        [admits, Math.max(restartMs, loginMs)],
      ] as const
    ) {
      for (const { snapshot, steady } of inSilence({ snapshot: after, ...at }, at.policy, reply)) {
        assert.ok(steady <= at.steady + boundMs, "connecting outlived its deadline");
        if (snapshot.session.status === "connecting") continue;
        assert.equal(snapshot.session.status, "disconnected");
        assert.equal(snapshot.session.lastError?.code, "TIMEOUT");
        break;
      }
    }
  });
});

Deno.test("transition() asks for its turn again and again, and never rests, when the turn does not come", () => {
  atEveryMoment(({ after, at }) => {
    if (!isLoginWorking(after) || after.login.kind === "open") return;
    let asked = 0;
    for (const { snapshot } of inSilence({ snapshot: after, ...at }, at.policy, nothing)) {
      assert.ok(isLoginWorking(snapshot));
      if (snapshot.login.kind === "queued" && ++asked === 3) return;
    }
    assert.fail("it gave up");
  });
});

Deno.test("transition() shows no QR and holds no pairing socket for ever when nothing more is heard", () => {
  atEveryMoment(({ after, at }) => {
    if (after.pairing.kind !== "showing") return;
    const bound = Math.max(after.pairing.deadline, at.steady);
    for (const { snapshot, steady } of inSilence({ snapshot: after, ...at }, at.policy, admits)) {
      assert.ok(steady <= bound);
      if (isPairing(snapshot)) continue;
      assert.notEqual(snapshot.session.qr.status, "generated");
      return;
    }
    assert.fail("pairing for ever");
  });
});

Deno.test("transition() comes back by itself when it was on its way and WhatsApp answers every login", () => {
  const reply: Reply = (snapshot) =>
    snapshot.login.kind === "login"
      ? { type: "connected", phoneNumber: "+5491155550001", source: "socket" }
      : snapshot.pairing.kind === "paired"
      ? { type: "pairing_closed", cause: { origin: "whatsapp", code: 515 } }
      : admits(snapshot);
  atEveryMoment(({ after, at }) => {
    if (after.pairing.kind !== "paired" && !isLoginWorking(after)) return;
    for (const { snapshot } of inSilence({ snapshot: after, ...at }, at.policy, reply)) {
      if (snapshot.login.kind !== "open") continue;
      assert.equal(snapshot.session.status, "connected");
      assert.equal(snapshot.predecessor, false);
      return;
    }
    assert.fail("never came back");
  });
});

Deno.test("transition() forgets earlier failures only when the connection has held until stableAt, or for a new login", () => {
  atEveryMoment((moment) => {
    const { before, event, after, at, change } = moment;
    if (failuresOf(before) === null || failuresOf(after) !== null || !isLoginWorking(after)) return;
    if (before.login.kind === "open") {
      assert.equal(event.type, "tick");
      assert.ok(at.steady >= before.login.stableAt);
    } else {
      assert.equal(change.kind, "revert");
    }
  });
});

Deno.test("transition() counts each failure once, and keeps the moment of the first, while it has trouble", () => {
  atEveryMoment(({ before, after, at }) => {
    const earlier = failuresOf(before);
    const later = failuresOf(after);
    if (later === null || later === earlier) return;
    if (earlier === null) assert.deepEqual(later, { attempts: 1, since: at.steady });
    else assert.deepEqual(later, { attempts: earlier.attempts + 1, since: earlier.since });
  });
});

Deno.test("transition() waits for at most a sixth of the time away, or the bound of a short absence, before each attempt", () => {
  atEveryMoment(({ before, after: { login }, at }) => {
    if (login.kind !== "waiting" || login === before.login) return;
    const { quickMs, capMs } = at.policy.backoff;
    const waitMs = login.until - at.steady;
    assert.ok(waitMs >= 0);
    assert.ok(waitMs <= Math.min(capMs, Math.max(quickMs, (at.steady - login.failures.since) / 6)));
  });
});
