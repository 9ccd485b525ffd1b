import assert from "node:assert/strict";
import { pause, systemClock, wallTimeOf } from "../../runtime/clock.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { HOUR_MS, setWallClock } from "../../lab/clocks/wall_clock.ts";

Deno.test("wallTimeOf() tells a moment by the wall clock as it is now, rounded down", () => {
  const clock = new DrivenClock();
  const [wall, moment] = [clock.now(), clock.steady()];
  clock.advance(250.75);
  assert.equal(wallTimeOf(clock, moment), wall);
  assert.equal(wallTimeOf(clock, moment + 10.5), wall + 10);
  clock.setWall(-HOUR_MS);
  assert.equal(wallTimeOf(clock, moment), wall - HOUR_MS);
});

Deno.test("pause() is over after its time, whatever the wall clock is set to", async () => {
  for (const byMs of [-HOUR_MS, HOUR_MS]) {
    const clock = new DrivenClock();
    let isOver = false;
    const paused = pause(clock, 1_000).then(() => isOver = true);
    clock.setWall(byMs);
    clock.advance(999);
    await Promise.resolve();
    assert.equal(isOver, false);
    clock.advance(1);
    await paused;
  }
});

Deno.test("systemClock.steady() goes on when the wall clock is set, and now() follows it", () => {
  const [steady, now] = [systemClock.steady(), systemClock.now()];
  using _set = setWallClock(-HOUR_MS);
  assert.ok(systemClock.steady() >= steady);
  assert.ok(systemClock.now() < now);
});

Deno.test("systemClock.after() asks for no less time than it is told, since the runtime leaves out fractions", () => {
  const { setTimeout: real } = globalThis;
  const asked: unknown[] = [];
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    asked.push(ms);
    return real(callback, 0);
  }) as typeof real;
  try {
    for (const ms of [0, 0.25, 3.9, 7, -1]) systemClock.after(ms, () => {})();
  } finally {
    globalThis.setTimeout = real;
  }
  assert.deepEqual(asked, [0, 1, 4, 7, 0]);
});
