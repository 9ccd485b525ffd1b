import assert from "node:assert/strict";
import fc from "fast-check";
import { RateLimiter } from "../../routes/rate_limit.ts";

Deno.test("RateLimiter.take() lets a burst through, and then one a gap", () => {
  const limiter = new RateLimiter(3, 300);
  assert.deepEqual([0, 0, 0].map((now) => limiter.take("a", now)), [0, 0, 0]);
  assert.equal(limiter.take("a", 0), 100);
  assert.equal(limiter.take("a", 99), 1);
  assert.equal(limiter.take("a", 100), 0);
  assert.equal(limiter.take("b", 100), 0);
});

Deno.test("RateLimiter.take() never lets more than twice the points through in a period, whatever comes", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 20 }),
    fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 300 }),
    (points, gaps) => {
      const limiter = new RateLimiter(points, 1_000);
      const taken: number[] = [];
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        const waitMs = limiter.take("a", now);
        if (waitMs === 0) taken.push(now);
        else assert.equal(limiter.take("a", now + waitMs + 0.001), 0), taken.push(now += waitMs + 0.001);
      }
      for (const from of taken) {
        // A full burst, and what has come back of the allowance meanwhile.
        assert.ok(taken.filter((at) => at >= from && at < from + 1_000).length <= 2 * points);
      }
    },
  ));
});

Deno.test("RateLimiter.take() makes nobody wait when the clock is set back", () => {
  const limiter = new RateLimiter(1, 1_000);
  assert.equal(limiter.take("a", 3_600_000), 0);
  assert.equal(limiter.take("a", 3_600_000), 1_000);
  assert.equal(limiter.take("a", 0), 0);
  assert.equal(limiter.take("a", 0), 1_000);
});

Deno.test("RateLimiter.take() forgets names that have had their rest", () => {
  const limiter = new RateLimiter(1, 1_000);
  for (let i = 0; i < 10_500; i++) assert.equal(limiter.take(`name-${i}`, 0), 0);
  assert.equal(limiter.size, 10_500);
  assert.equal(limiter.take("another", 2_000), 0);
  assert.equal(limiter.size, 1);
});

Deno.test("RateLimiter.take() forgets them when the clock was set back, too", () => {
  const limiter = new RateLimiter(1, 1_000);
  for (let i = 0; i < 10_500; i++) assert.equal(limiter.take(`name-${i}`, 3_600_000), 0);
  assert.equal(limiter.take("another", 0), 0);
  assert.equal(limiter.size, 1);
});

Deno.test("RateLimiter.take() takes no longer for the names that it remembers", () => {
  const limiter = new RateLimiter(1, 60_000);
  // Looking through all of them at every call would be five thousand million looks.
  for (let i = 0; i < 100_000; i++) assert.equal(limiter.take(`name-${i}`, i / 10), 0);
  assert.ok(limiter.take("name-99999", 10_000) > 0);
});
