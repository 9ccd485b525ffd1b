import assert from "node:assert/strict";
import fc from "fast-check";
import { backoff, type BackoffPolicy } from "../../domain/mod.ts";
import { randoms } from "./arbitraries.ts";

const POLICY: BackoffPolicy = { baseMs: 2_000, capMs: 300_000 };
/** The longest that jitter may give; the result is rounded down. */
const MOST = 1 - Number.EPSILON / 2;

const attempts = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1 }));
const bounds: fc.Arbitrary<BackoffPolicy> = fc.record({
  baseMs: fc.integer({ min: 0, max: 60_000 }),
  capMs: fc.integer({ min: 0, max: 3_600_000 }),
});

Deno.test("backoff() is a whole number from 0 up to the cap, whatever the attempt and the dice", () => {
  fc.assert(fc.property(attempts, randoms, bounds, (attempt, random, policy) => {
    const delay = backoff(attempt, random, policy);
    assert.ok(Number.isSafeInteger(delay));
    assert.ok(delay >= 0 && delay <= policy.capMs);
  }));
});

Deno.test("backoff() never asks for less when there are more failures and the dice are the same", () => {
  fc.assert(fc.property(attempts, randoms, bounds, (attempt, random, policy) => {
    assert.ok(backoff(attempt + 1, random, policy) >= backoff(attempt, random, policy));
  }));
});

Deno.test("backoff() grows with the dice when the attempt is the same", () => {
  fc.assert(fc.property(attempts, randoms, randoms, bounds, (attempt, a, b, policy) => {
    const [less, more] = a < b ? [a, b] : [b, a];
    assert.ok(backoff(attempt, less, policy) <= backoff(attempt, more, policy));
  }));
});

Deno.test("backoff() doubles its upper bound with each attempt when the cap is not reached", () => {
  const half = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => backoff(attempt, 0.5, POLICY));
  assert.deepEqual(half, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000]);
});

Deno.test("backoff() stays at the cap when attempts go on and on", () => {
  for (const attempt of [9, 31, 32, 1_000, Number.MAX_SAFE_INTEGER]) {
    assert.equal(backoff(attempt, 0.5, POLICY), 150_000);
  }
});

Deno.test("backoff() spreads from nothing to just under the bound when the dice give 0 to 1", () => {
  assert.equal(backoff(1, 0, POLICY), 0);
  assert.equal(backoff(1, MOST, POLICY), 1_999);
  assert.equal(backoff(1, 1, POLICY), 2_000);
  assert.equal(backoff(20, MOST, POLICY), 299_999);
});

Deno.test("backoff() waits as after the first failure when there was none yet", () => {
  assert.equal(backoff(0, 0.5, POLICY), backoff(1, 0.5, POLICY));
});
