import assert from "node:assert/strict";
import fc from "fast-check";
import type { LogFields } from "../../runtime/log.ts";
import { WorkerPool } from "../../whatsapp/worker_pool.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { settled } from "../sessions/scripted_sockets.ts";

const WATCH = { heartbeatMs: 5_000, hangMs: 15_000, startMs: 15_000, unendedMs: 15_000 };
const SECONDS = 25;
/** The one worker is asked after 5 s, and its heartbeat is overdue 15 s later; its successor is asked at 25 s. */
const LOST_AT = [20_000];

/** A pool whose workers never answer, for that long; when workers were lost, in milliseconds. */
async function losses(stepAt: (second: number) => number): Promise<number[]> {
  const clock = new DrivenClock();
  const start = clock.steady();
  const lostAt: number[] = [];
  const notice = ({ event, end }: LogFields) => {
    if (event !== "worker_lost") return;
    assert.equal(end, "hung");
    lostAt.push(clock.steady() - start);
  };
  const pool = new WorkerPool({
    size: 1,
    settings: { url: "ws://127.0.0.1:1", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock,
    log: { debug: notice, info: notice, warn: notice, error: notice },
    watch: WATCH,
    script: new URL("./silent_worker.ts", import.meta.url),
  });
  pool.start();
  for (let second = 0; second < SECONDS; second++) {
    clock.setWall(stepAt(second));
    clock.advance(1_000);
    await settled();
  }
  const stopping = pool.stop();
  clock.advance(3_000); // an answer is waited for so long
  await stopping;
  assert.equal(clock.pending, 0);
  return lostAt;
}

Deno.test("WorkerPool gives a worker up at the same moment when the wall clock is set forward or back", async () => {
  assert.deepEqual(await losses(() => 0), LOST_AT);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -86_400_000, max: 86_400_000 }), { minLength: SECONDS, maxLength: SECONDS }),
      async (steps) => assert.deepEqual(await losses((second) => steps[second] ?? 0), LOST_AT),
    ),
    { numRuns: 5 },
  );
});
