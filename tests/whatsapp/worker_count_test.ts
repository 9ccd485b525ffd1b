import assert from "node:assert/strict";
import type { Log } from "../../runtime/log.ts";
import { WorkerPool } from "../../whatsapp/worker_pool.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

Deno.test("WorkerPool.running is 0 when the worker has failed to start twice, until the next start", async () => {
  const failedTwice = Promise.withResolvers<void>();
  let lost = 0;
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: ({ event }) => {
      // Told before its successor is started, or put off.
      if (event === "worker_lost" && ++lost === 2) queueMicrotask(failedTwice.resolve);
    },
  };
  const pool = new WorkerPool({
    size: 1,
    settings: { url: "ws://127.0.0.1:9/ws/chat", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock: new DrivenClock(),
    log,
    script: new URL("./there_is_no_such_worker.ts", import.meta.url),
  });
  try {
    assert.equal(pool.running, 0);
    pool.start();
    assert.equal(pool.running, 1);
    await failedTwice.promise;
    assert.deepEqual([pool.running, pool.isManned, pool.load], [0, false, [0]]);
  } finally {
    await pool.stop();
  }
});
