import assert from "node:assert/strict";
import fc from "fast-check";
import { Presence } from "../../cluster/presence.ts";
import { stopwatch } from "../../cluster/stopwatch.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { ScriptedLeases } from "./scripted_leases.ts";

const BOUNDS = { ttlMs: 10_000, renewMs: 1_000, marginMs: 3_000 };
const SILENT_LOG = { debug: () => {}, info: () => {}, warn: () => {} };

class Stage {
  readonly leases = new ScriptedLeases();
  readonly clock = new DrivenClock();
  /** How long the process has stood still, beyond what its timers know of; milliseconds. */
  frozenMs = 0;
  /** What was logged as an error. */
  readonly errors: string[] = [];
  /** How long its machine has slept; milliseconds. */
  asleepMs = 0;
  /** When sessions were let go of, in milliseconds since the start. */
  readonly lostAt: number[] = [];
  /** Resolves what is let go of. */
  gone = Promise.withResolvers<void>();
  readonly presence: Presence;
  readonly #start = this.clock.steady();

  constructor() {
    const steady = () => this.clock.steady() + this.frozenMs;
    const up = () => Math.ceil((steady() + this.asleepMs) / 1_000) * 1_000;
    this.presence = new Presence({
      leases: this.leases,
      clock: this.clock,
      stopwatch: stopwatch(steady, up),
      bounds: BOUNDS,
      log: { ...SILENT_LOG, error: ({ event }) => void this.errors.push(event) },
      onLost: () => {
        this.lostAt.push(this.clock.steady() - this.#start);
        return this.gone.promise;
      },
    });
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(100);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  }
}

Deno.test("Presence renews itself again and again, under one name", async () => {
  const stage = new Stage();
  await stage.presence.join();
  const { id } = stage.presence;
  await stage.pass(30_000);
  assert.equal(stage.presence.id, id);
  assert.equal(stage.leases.renewals, 30);
  await stage.presence.leave();
  assert.deepEqual(stage.leases.left, [id]);
  assert.equal(stage.presence.id, null);
  assert.equal(stage.clock.pending, 0);
});

for (const mood of ["away", "silent"] as const) {
  Deno.test(`Presence lets go in good time, and no sooner, when the database is ${mood}`, async () => {
    const stage = new Stage();
    await stage.presence.join();
    await stage.pass(2_000);
    stage.leases.mood = mood;
    await stage.pass(6_900); // renewed at 2 s, good until 9 s
    assert.deepEqual(stage.lostAt, []);
    await stage.pass(200);
    assert.deepEqual(stage.lostAt, [9_000]);
    assert.equal(stage.presence.id, null);
    stage.gone.resolve();
    const leaving = stage.presence.leave();
    await stage.pass(3_000);
    await leaving;
    assert.equal(stage.clock.pending, 0);
  });
}

Deno.test("Presence outlives a database that is away for a moment", async () => {
  const stage = new Stage();
  await stage.presence.join();
  stage.leases.mood = "away";
  await stage.pass(5_500);
  stage.leases.mood = "well";
  await stage.pass(20_000);
  assert.deepEqual(stage.lostAt, []);
  assert.equal(stage.leases.joined.length, 1);
  await stage.presence.leave();
});

Deno.test("Presence comes back under another name, once nothing is left of the old one, when it had run out", async () => {
  const stage = new Stage();
  await stage.presence.join();
  const { id } = stage.presence;
  stage.leases.mood = "expired";
  await stage.pass(1_000);
  assert.equal(stage.lostAt.length, 1);
  stage.leases.mood = "well";
  await stage.pass(5_000);
  assert.equal(stage.presence.id, null, "a socket is still there");
  stage.gone.resolve();
  await stage.pass(1_000);
  assert.ok(stage.presence.id !== null && stage.presence.id !== id);
  assert.deepEqual(stage.leases.left, [id]);
  await stage.presence.leave();
});

for (const [what, how] of [["process stood still", "frozenMs"], ["machine slept", "asleepMs"]] as const) {
  Deno.test(`Presence may act for nobody from the first moment after its ${what}`, async () => {
    const stage = new Stage();
    await stage.presence.join();
    stage[how] = 60_000;
    assert.equal(stage.presence.id, null);
    stage.leases.mood = "expired";
    await stage.pass(1_000);
    stage.leases.mood = "well";
    stage.gone.resolve();
    await stage.pass(1_000);
    assert.equal(stage.lostAt.length, 1);
    assert.ok(stage.presence.id !== null);
    await stage.presence.leave();
  });
}

Deno.test("Presence is renewed, lost and had again at the same moments, whatever the wall clock is set to", async () => {
  const step = fc.record({
    mood: fc.constantFrom("well" as const, "away" as const, "silent" as const, "expired" as const),
    passMs: fc.nat(9_000),
    setMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  });
  const run = async (steps: readonly { mood: ScriptedLeases["mood"]; passMs: number; setMs: number }[]) => {
    const stage = new Stage();
    stage.gone.resolve();
    await stage.presence.join();
    const seen = [];
    for (const { mood, passMs, setMs } of steps) {
      stage.leases.mood = mood;
      stage.clock.setWall(setMs);
      seen.push(stage.presence.id !== null);
      await stage.pass(passMs);
      const { renewals, joined, left } = stage.leases;
      seen.push([stage.presence.id !== null, renewals, joined.length, left.length, ...stage.lostAt]);
    }
    return seen;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      assert.deepEqual(await run(steps), await run(steps.map((one) => ({ ...one, setMs: 0 }))));
    }),
    { numRuns: 50 },
  );
});

Deno.test("Presence goes on trying, and says so, when a renewal fails for a reason that nobody knows", async () => {
  const stage = new Stage();
  await stage.presence.join();
  stage.leases.mood = "broken";
  await stage.pass(3_000);
  assert.deepEqual(stage.errors, ["replica_failed", "replica_failed", "replica_failed"]);
  stage.leases.mood = "well";
  await stage.pass(30_000);
  assert.deepEqual(stage.lostAt, []);
  await stage.presence.leave();
  assert.equal(stage.clock.pending, 0);
});

Deno.test("Presence says once why it is not let in again, and comes back when it is", async () => {
  const stage = new Stage();
  await stage.presence.join();
  stage.leases.mood = "expired";
  await stage.pass(1_000);
  stage.gone.resolve();
  stage.leases.mood = "disagrees";
  await stage.pass(5_000);
  assert.deepEqual(stage.errors, ["replica_fenced", "replica_not_renewed"]);
  assert.equal(stage.presence.id, null);
  stage.leases.mood = "well";
  await stage.pass(1_000);
  assert.notEqual(stage.presence.id, null);
  await stage.presence.leave();
});
