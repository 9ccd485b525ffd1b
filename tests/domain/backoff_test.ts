import assert from "node:assert/strict";
import fc from "fast-check";
import { backoff, type BackoffPolicy } from "../../domain/backoff.ts";
import { DEFAULT_POLICY } from "../../domain/snapshot.ts";
import { randoms } from "./arbitraries.ts";

const POLICY: BackoffPolicy = { baseMs: 2_000, quickMs: 10_000, capMs: 300_000 };
/** The longest that jitter may give; the result is rounded down. */
const MOST = 1 - Number.EPSILON / 2;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const attempts = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1 }));
const absences = fc.oneof(
  fc.integer({ min: 0, max: 2 * MINUTE }),
  fc.integer({ min: 0, max: 24 * HOUR }),
  // A monotonic clock gives fractions.
  fc.double({ min: 0, max: HOUR, noNaN: true }),
);
const bounds: fc.Arbitrary<BackoffPolicy> = fc.record({
  baseMs: fc.integer({ min: 0, max: 60_000 }),
  quickMs: fc.integer({ min: 0, max: 60_000 }),
  capMs: fc.integer({ min: 0, max: 3_600_000 }),
});

Deno.test("backoff() has the product's own bounds when nothing else is said", () => {
  assert.deepEqual(DEFAULT_POLICY.backoff, POLICY);
});

Deno.test("backoff() is a whole number from 0 up to the cap, whatever the attempt, the time away and the dice", () => {
  fc.assert(fc.property(attempts, absences, randoms, bounds, (attempt, awayMs, random, policy) => {
    const delay = backoff(attempt, awayMs, random, policy);
    assert.ok(Number.isSafeInteger(delay));
    assert.ok(delay >= 0 && delay <= policy.capMs);
  }));
});

Deno.test("backoff() never asks for less when there are more failures and all else is the same", () => {
  fc.assert(fc.property(attempts, absences, randoms, bounds, (attempt, awayMs, random, policy) => {
    assert.ok(backoff(attempt + 1, awayMs, random, policy) >= backoff(attempt, awayMs, random, policy));
  }));
});

Deno.test("backoff() never asks for less when it has been away for longer and all else is the same", () => {
  fc.assert(fc.property(attempts, absences, absences, randoms, bounds, (attempt, a, b, random, policy) => {
    const [less, more] = a < b ? [a, b] : [b, a];
    assert.ok(backoff(attempt, less, random, policy) <= backoff(attempt, more, random, policy));
  }));
});

Deno.test("backoff() grows with the dice when all else is the same", () => {
  fc.assert(fc.property(attempts, absences, randoms, randoms, bounds, (attempt, awayMs, a, b, policy) => {
    const [less, more] = a < b ? [a, b] : [b, a];
    assert.ok(backoff(attempt, awayMs, less, policy) <= backoff(attempt, awayMs, more, policy));
  }));
});

Deno.test("backoff() is at most 10 s when the session has been away for at most 60 s, whatever the attempt", () => {
  fc.assert(fc.property(attempts, fc.integer({ min: 0, max: MINUTE }), randoms, (attempt, awayMs, random) => {
    assert.ok(backoff(attempt, awayMs, random, POLICY) <= 10_000);
  }));
});

Deno.test("backoff() is at most the longer of 10 s and a sixth of the time away, and at most the cap", () => {
  fc.assert(fc.property(attempts, absences, randoms, (attempt, awayMs, random) => {
    const delay = backoff(attempt, awayMs, random, POLICY);
    assert.ok(delay <= Math.max(10_000, awayMs / 6));
    assert.ok(delay <= 300_000);
  }));
});

Deno.test("backoff() waits for at least half of its bound from the second attempt on, and up to all of it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2 }), absences, randoms, bounds, (attempt, awayMs, random, policy) => {
      const most = backoff(attempt, awayMs, MOST, policy);
      const delay = backoff(attempt, awayMs, random, policy);
      // Both are rounded down.
      assert.ok(delay >= Math.floor(most / 2) && delay <= most + 1);
    }),
  );
});

Deno.test("backoff() doubles its upper bound with each attempt up to 10 s when the time away is short", () => {
  const most = [1, 2, 3, 4, 5].map((attempt) => backoff(attempt, 0, 1, POLICY));
  assert.deepEqual(most, [2_000, 4_000, 8_000, 10_000, 10_000]);
  const least = [1, 2, 3, 4, 5].map((attempt) => backoff(attempt, 0, 0, POLICY));
  assert.deepEqual(least, [0, 2_000, 4_000, 5_000, 5_000]);
});

Deno.test("backoff() has a sixth of the time away as its upper bound, up to the cap, when that is more than 10 s", () => {
  const most = [MINUTE, 2 * MINUTE, 12 * MINUTE, 30 * MINUTE, HOUR, 24 * HOUR]
    .map((awayMs) => backoff(9, awayMs, 1, POLICY));
  assert.deepEqual(most, [10_000, 20_000, 120_000, 300_000, 300_000, 300_000]);
});

Deno.test("backoff() keeps to its cap when that is less than a short delay", () => {
  const policy = { baseMs: 2_000, quickMs: 10_000, capMs: 1_000 };
  assert.deepEqual([1, 2, 9].map((attempt) => backoff(attempt, HOUR, 1, policy)), [1_000, 1_000, 1_000]);
});

Deno.test("backoff() stays where it is when attempts go on and on", () => {
  for (const attempt of [9, 31, 32, 1_000, Number.MAX_SAFE_INTEGER]) {
    assert.equal(backoff(attempt, 0, 0.5, POLICY), 7_500);
    assert.equal(backoff(attempt, HOUR, 0.5, POLICY), 225_000);
  }
});

Deno.test("backoff() spreads the first delay from nothing to just under the bound when the dice give 0 to 1", () => {
  assert.equal(backoff(1, 0, 0, POLICY), 0);
  assert.equal(backoff(1, 0, 0.25, POLICY), 500);
  assert.equal(backoff(1, 0, MOST, POLICY), 1_999);
  assert.equal(backoff(20, HOUR, 1 - 1e-9, POLICY), 299_999);
});

Deno.test("backoff() waits as after the first failure when there was none yet", () => {
  assert.equal(backoff(0, 0, 0.5, POLICY), backoff(1, 0, 0.5, POLICY));
});
