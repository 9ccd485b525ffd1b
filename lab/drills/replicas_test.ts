import assert from "node:assert/strict";
import { ownServerProgram, whatIsMissing } from "../databases/server_program.ts";
import { describeDrill } from "./replicas.ts";
import { runReplicasDrill } from "./replicas/run.ts";

const hasServer = await ownServerProgram() !== undefined;

Deno.test({
  name:
    `replicas that are killed, stopped, frozen and cut off are replaced, and no login is used twice at once${
      hasServer ? "" : ` (skipped: ${whatIsMissing()})`
    }`,
  ignore: !hasServer,
  fn: async () => {
    const result = await runReplicasDrill({
      // As many for each of the three: with four, two replicas may have them all, and the frozen one none.
      sessions: 6,
      // One that cannot renew its presence lets go after twelve seconds.
      bounds: { ttlMs: 240_000, renewMs: 250, marginMs: 228_000, snapshotMs: 250 },
      runsOutOnDemand: true,
      policy: { backoff: { baseMs: 50, quickMs: 500, capMs: 500 } },
    });
    assert.ok(result !== null);
    assert.deepEqual(result.faults, [], describeDrill(result));
    const frozen = result.scenes.find(({ overFrozen }) => overFrozen > 0);
    assert.ok(frozen, "the frozen replica's connections are still there when the others log in");
  },
});
