/** The same story lived twice, with one thing left out the second time: what must not depend on it does not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  atRest,
  type LoginActivity,
  nextTickMs,
  type Policy,
  type SessionSnapshot,
  type Steady,
} from "../../domain/snapshot.ts";
import { createSession } from "../../domain/session.ts";
import type { Effect, SessionEvent } from "../../domain/events.ts";
import { transition } from "../../domain/transition.ts";
import { events, policies, randoms, START } from "./arbitraries.ts";
import {
  created,
  dropped,
  failed,
  loggingIn,
  online,
  pairing,
  POLICY,
  qr,
  restarted,
  showingQr,
  steadyAt,
  then,
} from "./journeys.ts";
import { deepFreeze } from "./world.ts";

/** How many ticks may have something to do at the same moment. */
const STANDSTILLS = 10;

/** What a story is made of; `generatedAt` of a QR is how long ago it was shown. */
type Happening =
  | { readonly kind: "event"; readonly event: SessionEvent }
  | { readonly kind: "clock_set"; readonly byMs: number }
  | { readonly kind: "restart" };

interface Chapter {
  /** Milliseconds before it. */
  readonly gap: number;
  readonly happening: Happening;
}

/** A session that hears what happens, and is ticked at every moment at which a tick has something to do. */
class Run {
  readonly done: { readonly effect: Effect["type"]; readonly steady: Steady }[] = [];
  snapshot: SessionSnapshot;
  #now = START;
  #steady: Steady = 1_000;
  readonly #policy: Policy;
  readonly #random: number;

  constructor(snapshot: SessionSnapshot, policy: Policy, random: number) {
    this.snapshot = snapshot;
    this.#policy = policy;
    this.#random = random;
    this.#apply({ type: "restored" });
  }

  live({ gap, happening }: Chapter): void {
    this.#pass(gap);
    switch (happening.kind) {
      case "event":
        return this.#apply(
          happening.event.type === "qr"
            ? { ...happening.event, generatedAt: this.#now - happening.event.generatedAt }
            : happening.event,
        );
      case "clock_set":
        this.#now += happening.byMs;
        return;
      case "restart":
        this.snapshot = atRest(this.snapshot.session, this.snapshot.link, this.snapshot.predecessor);
        return this.#apply({ type: "restored" });
    }
  }

  /** Time passes and nothing else happens. */
  rest(gap: number): void {
    this.#pass(gap);
  }

  #pass(ms: number): void {
    const end = this.#steady + ms;
    let standstills = 0;
    while (true) {
      const dueMs = nextTickMs(this.snapshot, { now: this.#now, steady: this.#steady });
      const waitMs = dueMs === null ? Infinity : Math.max(0, dueMs);
      const stepMs = Math.min(waitMs, end - this.#steady);
      this.#now += stepMs;
      this.#steady += stepMs;
      if (waitMs > stepMs) return;
      standstills = stepMs > 0 ? 0 : standstills + 1;
      assert.ok(standstills <= STANDSTILLS, "time stands still");
      this.#apply({ type: "tick" });
    }
  }

  #apply(event: SessionEvent): void {
    const at = {
      now: this.#now,
      steady: this.#steady,
      random: this.#random,
      tearingDown: false,
      retiredId: "retired-1",
      policy: this.#policy,
    };
    const { snapshot, effects } = transition(deepFreeze(this.snapshot), event, at);
    this.snapshot = snapshot;
    for (const effect of effects) this.done.push({ effect: effect.type, steady: this.#steady });
  }
}

const gaps = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 150 }));
const chapters = (happening: fc.Arbitrary<Happening>): fc.Arbitrary<Chapter[]> =>
  fc.noBias(fc.array(fc.record({ gap: gaps, happening }), { minLength: 1, maxLength: 40, size: "max" }));
const asHappening = (event: SessionEvent): Happening => ({ kind: "event", event });

/** A login that works, perhaps a new one for whose sake an older one is held. */
const lives = fc.boolean().map((held) => atRest(createSession("sender_51", START), "working", held));

// ── The login, with and without a pairing beside it ──────────────────────────────────────────────

const OF_THE_PAIRING = new Set(["qr_requested", "qr", "pairing_closed", "passkey_demanded"]);
/** Its turn and its success come more often than chance would have it, or few logins would get anywhere. */
const unscanned = fc.oneof(
  { weight: 6, arbitrary: events.filter(({ type }) => type !== "paired").map(asHappening) },
  { weight: 3, arbitrary: fc.constant(asHappening({ type: "admitted" })) },
  { weight: 2, arbitrary: fc.constant(asHappening({ type: "qr_requested" })) },
  {
    weight: 1,
    arbitrary: fc.constant(asHappening({ type: "connected", phoneNumber: null, source: "socket" })),
  },
  { weight: 1, arbitrary: fc.constant<Happening>({ kind: "restart" }) },
);

/** A login that failed beside a QR is told later, and is as idle as one that failed alone. */
function asAlone(login: LoginActivity): LoginActivity {
  return login.kind === "failed" ? { kind: "idle" } : login;
}

/** What was done for the login, and when. */
function loginsOf({ done }: Run): Run["done"] {
  return done.filter(({ effect }) => effect !== "open_pairing_socket" && effect !== "close_pairing_socket");
}

Deno.test("transition() does the same for the login at the same moments, whether or not a QR is asked for beside it", () => {
  const seen = { beside: 0, opened: 0 };
  fc.assert(
    fc.property(lives, policies, randoms, chapters(unscanned), (snapshot, policy, random, story) => {
      const beside = new Run(snapshot, policy, random);
      const alone = new Run(snapshot, policy, random);
      for (const chapter of story) {
        const { happening, gap } = chapter;
        beside.live(chapter);
        if (happening.kind === "event" && OF_THE_PAIRING.has(happening.event.type)) alone.rest(gap);
        else alone.live(chapter);
        // Out of an error, a QR takes up again a login that may work: there it is meant to make a difference.
        if (alone.snapshot.session.status === "error" && alone.snapshot.link === "working") return;
        assert.deepEqual(asAlone(beside.snapshot.login), alone.snapshot.login);
        assert.deepEqual(loginsOf(beside), loginsOf(alone));
        assert.equal(beside.snapshot.link, alone.snapshot.link);
        assert.equal(beside.snapshot.predecessor, alone.snapshot.predecessor);
        if (beside.snapshot.pairing.kind === "showing" && beside.snapshot.login.kind !== "idle") {
          seen.beside++;
        }
        if (beside.snapshot.pairing.kind === "showing" && beside.snapshot.login.kind === "login") {
          seen.opened++;
        }
      }
    }),
    { numRuns: 1_000 },
  );
  // A story in which the two never meet proves nothing.
  assert.ok(seen.beside > 0 && seen.opened > 0);
});

Deno.test("transition() is told as what its login is when the pairing is over and the login has moved on", () => {
  fc.assert(
    fc.property(lives, policies, randoms, chapters(unscanned), (snapshot, policy, random, story) => {
      const beside = new Run(snapshot, policy, random);
      for (const chapter of story) beside.live(chapter);
      const { login, session } = beside.snapshot;
      if (beside.snapshot.pairing.kind !== "none") return;
      if (login.kind === "open") assert.equal(session.status, "connected");
      if (login.kind === "login") assert.ok(["connecting", "connected"].includes(session.status));
    }),
  );
});

// ── Steps of the wall clock ──────────────────────────────────────────────────────────────────────

const clockSteps = fc.oneof(
  fc.integer({ min: -200, max: 200 }),
  fc.constantFrom(-365 * 86_400_000, -3_600_000, 3_600_000, 365 * 86_400_000),
).map((byMs): Happening => ({ kind: "clock_set", byMs }));
const withClockSteps = fc.oneof(
  { weight: 6, arbitrary: events.map(asHappening) },
  { weight: 3, arbitrary: fc.constant(asHappening({ type: "admitted" })) },
  { weight: 2, arbitrary: fc.constant(asHappening({ type: "qr_requested" })) },
  {
    weight: 2,
    arbitrary: fc.constant(asHappening({ type: "connected", phoneNumber: null, source: "socket" })),
  },
  { weight: 4, arbitrary: clockSteps },
  { weight: 1, arbitrary: fc.constant<Happening>({ kind: "restart" }) },
);
/** Linked or not. */
const beginnings = fc.oneof(lives, fc.constant(atRest(createSession("sender_51", START), "none")));

Deno.test("transition() does the same at the same moments, whatever steps the wall clock takes", () => {
  fc.assert(
    fc.property(
      beginnings,
      policies,
      randoms,
      chapters(withClockSteps),
      (snapshot, policy, random, story) => {
        const stepping = new Run(snapshot, policy, random);
        const even = new Run(snapshot, policy, random);
        for (const chapter of story) {
          stepping.live(chapter);
          if (chapter.happening.kind === "clock_set") even.rest(chapter.gap);
          else even.live(chapter);
          assert.deepEqual(stepping.snapshot.login, even.snapshot.login);
          assert.deepEqual(stepping.snapshot.pairing, even.snapshot.pairing);
          assert.deepEqual(stepping.done, even.done);
          assert.equal(stepping.snapshot.link, even.snapshot.link);
          assert.equal(stepping.snapshot.predecessor, even.snapshot.predecessor);
          // Whether a QR has expired is for the wall clock to say, and nothing else is.
          assert.equal(stepping.snapshot.session.status, even.snapshot.session.status);
          assert.deepEqual(stepping.snapshot.session.lastError, even.snapshot.session.lastError);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("transition() drops nobody and closes no pairing when the wall clock is set forward by a year", () => {
  const year = 365 * 86_400_000;
  for (
    const place of [
      created(),
      showingQr(),
      loggingIn(),
      online(),
      dropped(),
      restarted(online()),
      failed("ACCOUNT_FORBIDDEN"),
    ]
  ) {
    const later = then(place, { type: "tick" }, 0, { now: place.now + year, steady: steadyAt(place.now) });
    assert.equal(later.snapshot.session.status, place.snapshot.session.status);
    assert.equal(later.snapshot.pairing, place.snapshot.pairing);
    assert.deepEqual(later.effects, []);
  }
});

Deno.test("transition() holds a pairing socket no longer than its QR lives when the wall clock is set back meanwhile", () => {
  // The socket showed it before the clock was set back, and the news of it comes after.
  const open = pairing();
  const shown = then(open, qr(open.now + 86_400_000));
  assert.ok(shown.snapshot.pairing.kind === "showing");
  const longest = POLICY.qrLife.firstMs + POLICY.nextQrMs;
  assert.ok(shown.snapshot.pairing.deadline - steadyAt(shown.now) <= longest);
});
