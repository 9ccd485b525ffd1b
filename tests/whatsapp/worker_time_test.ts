import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTime } from "../../whatsapp/worker_time.ts";

Deno.test("WorkerTime.of() is as good as the fastest message so far, and never after now, when a worker is honest", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 100_000 }),
    fc.array(fc.record({ restMs: fc.nat(5_000), wayMs: fc.nat(500), ageMs: fc.nat(5_000) }), {
      minLength: 1,
    }),
    (aheadMs, messages) => {
      let own = 0;
      let fastest = Number.POSITIVE_INFINITY;
      const time = new WorkerTime({ steady: () => own });
      own = aheadMs; // the worker counts from here
      for (const { restMs, wayMs, ageMs } of messages) {
        own += restMs;
        const happened = own - ageMs;
        const sent = own - aheadMs;
        own += wayMs;
        assert.equal(time.hear(sent), true);
        fastest = Math.min(fastest, wayMs);
        const told = time.of(happened - aheadMs, sent);
        assert.equal(told - happened, fastest);
        assert.ok(told <= own);
      }
    },
  ));
});

Deno.test("WorkerTime.hear() is false exactly when the worker cannot have counted that far", () => {
  fc.assert(fc.property(fc.nat(100_000), fc.integer({ min: -10_000, max: 200_000 }), (ageMs, now) => {
    let own = 5;
    const time = new WorkerTime({ steady: () => own });
    own += ageMs;
    assert.equal(time.hear(now), now >= 0 && now <= ageMs + 1_000);
  }));
});

Deno.test("WorkerTime.of() is within the last minute and not after now when a worker tells anything", () => {
  fc.assert(fc.property(fc.nat(1_000_000), fc.nat(1_000_000), fc.nat(1_000_000), (ageMs, one, other) => {
    let own = 0;
    const time = new WorkerTime({ steady: () => own });
    own += ageMs;
    const [at, sent] = [Math.min(one, other), Math.max(one, other)];
    if (!time.hear(sent)) return;
    const told = time.of(at, sent);
    assert.ok(told <= own && told >= own - 60_000, `${told}`);
  }));
});
