import assert from "node:assert/strict";
import { SkippingClock } from "./skipping_clock.ts";

Deno.test("SkippingClock.skip() fires what falls due, in order and at its time, and leaves the rest for later", () => {
  const clock = new SkippingClock();
  const start = clock.steady();
  const fired: string[] = [];
  const note = (what: string, atMs: number) => () => {
    fired.push(what);
    assert.ok(clock.steady() - start >= atMs, what);
  };
  clock.after(3_600_000, note("later", 3_600_000));
  clock.after(20_000, note("second", 20_000));
  clock.after(10_000, () => {
    note("first", 10_000)();
    clock.after(25_000, note("third", 35_000));
    cancelNever();
  });
  const cancelNever = clock.after(30_000, note("never", 30_000));
  const wall = clock.now();
  clock.skip(60_000);
  assert.deepEqual(fired, ["first", "second", "third"]);
  assert.ok(clock.now() - wall >= 60_000 && clock.steady() - start >= 60_000);
  clock.skip(3_600_000);
  assert.equal(fired.at(-1), "later");
});

Deno.test("SkippingClock fires by itself, too, when nobody puts it forward", async () => {
  const clock = new SkippingClock();
  clock.skip(1_000);
  await new Promise<void>((resolve) => void clock.after(1, resolve));
});
