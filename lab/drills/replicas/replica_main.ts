/**
 * The service as it is, but for a machine whose clock is wrong and for bounds of its presence that a test has time
 * for: `[{ skewMs, bounds, backoff }]` as JSON.
 * @module
 */
import { main } from "../../../main.ts";
import { systemClock } from "../../../runtime/clock.ts";
import type { ReplicaSettings } from "./replica_process.ts";

const { skewMs, bounds, policy }: Pick<ReplicaSettings, "skewMs" | "bounds" | "policy"> = JSON.parse(
  Deno.args[0] ?? "{}",
);

await main({
  clock: {
    ...systemClock,
    now: () => systemClock.now() + skewMs,
  },
  replica: bounds,
  policy,
});
