import assert from "node:assert/strict";
import { describe } from "./chaos.ts";
import { runChaos } from "./chaos_run.ts";

// Seeds of which the outcome is known; new ones are for the drill.
for (const seed of [20_260_104]) {
  Deno.test({
    name: `whatever goes wrong, HTTP tells what WhatsApp knows to be true, with seed ${seed}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const options = {
        dialect: "sqlite",
        seed,
        sessions: 8,
        seconds: 3,
        pauseMs: 50,
        calamityMs: 400,
      } as const;
      const result = await runChaos(options);
      assert.ok(result !== null);
      assert.equal(result.ledger.violationCount, 0, describe(result));
      assert.equal(result.overlaps, 0);
    },
  });
}
