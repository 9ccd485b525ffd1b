import assert from "node:assert/strict";
import fc from "fast-check";
import type { SeenPresence } from "../../domain/leases.ts";
import { stopwatch } from "../../cluster/stopwatch.ts";
import { PresenceWatch } from "../../cluster/presence_watch.ts";

const BOUNDS = { ttlMs: 10_000, renewMs: 1_000, marginMs: 3_000 };
const STEP_MS = 100;
const LOOK_MS = 1_000;

/**
 * Replicas beside the one that watches, a database whose clock is set forward and back, and a network that delays or
 * loses what they send. One that cannot renew closes its last socket within the margin.
 */
class Model {
  nowMs = 0;
  /** The database's clock, by how much it is ahead of true time. */
  aheadMs = 0;
  readonly rows = new Map<string, { expiresAt: number }>();
  /** When each may still have a socket, in true time. */
  readonly socketsUntil = new Map<string, number>();
  readonly cutOff = new Set<string>();
  readonly dead = new Map<string, number>();
  /** When the watcher ended which presence. */
  readonly evicted: { readonly replica: string; readonly atMs: number }[] = [];
  readonly #presenceWatch = new PresenceWatch(
    stopwatch(() => this.nowMs, () => Math.ceil(this.nowMs / 1_000) * 1_000),
    BOUNDS,
  );

  constructor(readonly replicas: readonly string[]) {
    for (const replica of replicas) this.#renew(replica);
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      this.nowMs += STEP_MS;
      if (this.nowMs % BOUNDS.renewMs === 0) {
        for (const replica of this.replicas) if (!this.cutOff.has(replica)) this.#renew(replica);
      }
      if (this.nowMs % LOOK_MS === 500) this.#look();
    }
  }

  #renew(replica: string): void {
    if (this.dead.has(replica) || this.evicted.some((one) => one.replica === replica)) return;
    this.rows.set(replica, { expiresAt: this.nowMs + this.aheadMs + BOUNDS.ttlMs });
    // It counts from when it asked, and closes within the margin after its limit.
    this.socketsUntil.set(replica, this.nowMs + BOUNDS.ttlMs);
  }

  #look(): void {
    const told = new Map<string, SeenPresence>();
    for (const [replica, { expiresAt }] of this.rows) {
      told.set(replica, { mark: String(expiresAt), isOver: expiresAt <= this.nowMs + this.aheadMs });
    }
    for (const { replica, mark } of this.#presenceWatch.look(told, "self")) {
      assert.equal(String(this.rows.get(replica)?.expiresAt), mark);
      this.rows.delete(replica);
      this.evicted.push({ replica, atMs: this.nowMs });
    }
  }
}

/** Something that happens, and how long it lasts until the next. */
const incident = fc.record({
  kind: fc.constantFrom("set" as const, "cut" as const, "mend" as const, "die" as const),
  replica: fc.constantFrom("a", "b", "c"),
  setMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  passMs: fc.integer({ min: 1, max: 150 }).map((steps) => steps * STEP_MS),
});

Deno.test("Vigil ends no presence whose owner may have a socket, and each that is over, whatever the database's clock is set to", () => {
  fc.assert(
    fc.property(fc.array(incident, { maxLength: 12 }), (incidents) => {
      const model = new Model(["a", "b", "c"]);
      // All three have been seen alive.
      model.pass(3_000);
      for (const { kind, replica, setMs, passMs } of incidents) {
        if (kind === "set") model.aheadMs = setMs;
        else if (kind === "cut") model.cutOff.add(replica);
        else if (kind === "mend") model.cutOff.delete(replica);
        else if (!model.dead.has(replica)) model.dead.set(replica, model.nowMs);
        model.pass(passMs);
      }
      for (const { replica, atMs } of model.evicted) {
        assert.ok(atMs >= model.socketsUntil.get(replica)!, `${replica} was ended ${atMs} too early`);
      }
      // Nobody stays for good: neither one that died nor one that is cut off.
      model.pass(BOUNDS.ttlMs + 2 * LOOK_MS);
      for (const replica of model.replicas) {
        const isGone = model.dead.has(replica) || model.cutOff.has(replica);
        assert.equal(
          model.rows.has(replica),
          !isGone && !model.evicted.some((one) => one.replica === replica),
        );
      }
      // And one that renews is never ended.
      const renewed = model.replicas.filter((replica) =>
        !incidents.some((one) => one.replica === replica && (one.kind === "cut" || one.kind === "die"))
      );
      for (const replica of renewed) assert.ok(model.rows.has(replica));
    }),
    { numRuns: 500 },
  );
});

Deno.test("Vigil ends a presence within its length and two looks when its owner dies as the clock goes back", () => {
  for (const setMs of [0, -2_000, -90_000, -86_400_000, 90_000]) {
    const model = new Model(["a", "b"]);
    model.pass(5_000);
    model.dead.set("a", model.nowMs);
    model.aheadMs = setMs;
    model.pass(BOUNDS.ttlMs + 2 * LOOK_MS);
    assert.deepEqual(model.evicted.map(({ replica }) => replica), ["a"], `${setMs}`);
  }
});

Deno.test("Vigil does not wait for a whole presence that had run out before it began, but for three renewals", () => {
  let nowMs = 0;
  const presenceWatch = new PresenceWatch(stopwatch(() => nowMs, () => 0), BOUNDS);
  const look = (mark: string, isOver: boolean) =>
    presenceWatch.look(new Map([["a", { mark, isOver }]]), "self");
  assert.deepEqual(look("1", true), []);
  nowMs = 2_900;
  assert.deepEqual(look("1", true), []);
  nowMs = 3_000;
  assert.deepEqual(look("1", true), [{ replica: "a", mark: "1" }]);
});

Deno.test("Vigil leaves one alone that renews after the clock was set forward as the watch began", () => {
  let nowMs = 0;
  const presenceWatch = new PresenceWatch(stopwatch(() => nowMs, () => 0), BOUNDS);
  const look = (mark: string, isOver: boolean) =>
    presenceWatch.look(new Map([["a", { mark, isOver }]]), "self");
  look("1", true);
  for (let i = 0; i < 60; i++) {
    nowMs += 1_000;
    assert.deepEqual(look(`renewed ${i}`, false), []);
  }
  // Seen alive, it has the whole time, whatever the clock says of it.
  nowMs += 9_900;
  assert.deepEqual(look("renewed 59", true), []);
  nowMs += 100;
  assert.deepEqual(look("renewed 59", true), [{ replica: "a", mark: "renewed 59" }]);
});

Deno.test("Vigil never watches its own presence", () => {
  let nowMs = 0;
  const presenceWatch = new PresenceWatch(stopwatch(() => nowMs, () => 0), BOUNDS);
  for (; nowMs < 60_000; nowMs += 1_000) {
    assert.deepEqual(presenceWatch.look(new Map([["self", { mark: "1", isOver: true }]]), "self"), []);
  }
});
