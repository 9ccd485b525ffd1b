import assert from "node:assert/strict";
import fc from "fast-check";
import { createApp } from "../../../routes/app.ts";
import { checkRate, RateLimiter } from "../../../routes/pipeline/limits.ts";
import { ask } from "../ask.ts";

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

Deno.test("RateLimiter.take() forgets names that have had their rest", () => {
  const limiter = new RateLimiter(1, 1_000);
  for (let i = 0; i < 10_500; i++) assert.equal(limiter.take(`name-${i}`, 0), 0);
  assert.equal(limiter.size, 10_500);
  assert.equal(limiter.take("another", 2_000), 0);
  assert.equal(limiter.size, 1);
});

/** As long as it lasts, the machine's clock is told otherwise, by so many milliseconds. */
function setClock(byMs: number): Disposable {
  const { now } = Date;
  Date.now = () => now() + byMs;
  return { [Symbol.dispose]: () => void (Date.now = now) };
}

Deno.test("createApp() limits and measures by a clock that nobody sets", async () => {
  const HOUR_MS = 3_600_000;
  const qr = { qr_string: "data:image/png;base64,AAAA", qr_expires_at: "2026-01-04T12:34:56Z" };
  const seconds: number[] = [];
  const nobody = () => Promise.reject(new Error("Nobody asks."));
  using clocks = new DisposableStack();
  const app = createApp({
    sessions: {
      read: nobody,
      // Set while the request is under way.
      requestQr: () => {
        clocks.use(setClock(HOUR_MS));
        return Promise.resolve(qr);
      },
      reportConnected: nobody,
      reportDisconnected: nobody,
    },
    operations: { readiness: nobody, metrics: nobody },
    hubKeys: [],
    internalKeys: [],
    rateLimits: { key: 0, read: 0, qr: 1 },
    log: { debug: () => {}, info: () => {}, error: () => {} },
    meter: { observe: (answered) => void seconds.push(answered.seconds) },
  });
  for (const id of ["a", "%62"]) {
    const askForQr = () => ask(app, `/api/session-manager/sessions/${id}/qr`, { method: "POST" });
    assert.equal((await askForQr()).status, 200);
    assert.equal((await askForQr()).status, 429);
  }
  assert.equal(seconds.length, 4);
  for (const each of seconds) assert.ok(each >= 0 && each < HOUR_MS / 2_000, `${each} s`);
});

Deno.test("RateLimiter.take() takes no longer for the names that it remembers", () => {
  const limiter = new RateLimiter(1, 60_000);
  // Looking through all of them at every call would be five thousand million looks.
  for (let i = 0; i < 100_000; i++) assert.equal(limiter.take(`name-${i}`, i / 10), 0);
  assert.ok(limiter.take("name-99999", 10_000) > 0);
});

Deno.test("checkRate() asks for no second more than there is to wait, whatever fraction of a millisecond it is", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e3, max: 1e8, noNaN: true }).map((now) => now + 1 / 3), (now) => {
      const limiter = new RateLimiter(1, 1_000);
      assert.equal(checkRate(limiter, "sender_51", now), null);
      assert.deepEqual(checkRate(limiter, "sender_51", now)?.headers, { "retry-after": "1" });
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("checkRate() refuses nothing when there is no limit", () => {
  for (let i = 0; i < 10; i++) assert.equal(checkRate(null, "sender_51", 0), null);
});
