import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTime } from "../../whatsapp/worker_time.ts";

Deno.test("WorkerTime.of() is as good as the fastest message so far, and never after now", () => {
  fc.assert(fc.property(
    fc.integer({ min: -100_000, max: 100_000 }),
    fc.array(fc.record({ restMs: fc.nat(5_000), wayMs: fc.nat(500), ageMs: fc.nat(5_000) }), {
      minLength: 1,
    }),
    (aheadMs, messages) => {
      let own = 0;
      let fastest = Number.POSITIVE_INFINITY;
      const time = new WorkerTime(() => own);
      for (const { restMs, wayMs, ageMs } of messages) {
        own += restMs;
        const happened = own - ageMs;
        const sent = own - aheadMs;
        own += wayMs;
        time.hear(sent);
        fastest = Math.min(fastest, wayMs);
        const told = time.of(happened - aheadMs);
        assert.equal(told - happened, fastest);
        assert.ok(told <= own);
      }
    },
  ));
});
