import assert from "node:assert/strict";
import { runRefusal } from "./refusal_run.ts";

Deno.test({
  name: "links that were refused for a while are back, whether a Hub asks for their QRs or not",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const result = await runRefusal({
      dialect: "sqlite",
      sessions: 4,
      refusedMs: 1_000,
      askMs: 50,
      // How long it takes is the drill's to measure, on a machine of its own.
      backMs: 600_000,
      policy: { backoff: { baseMs: 50, quickMs: 200, capMs: 200 } },
    });
    assert.ok(result !== null);
    assert.deepEqual(result.violations, []);
    for (const { attempts, calls, isAskedFor } of result.links) {
      assert.ok(attempts > 0);
      assert.equal(calls > 0, isAskedFor);
    }
  },
});
