import assert from "node:assert/strict";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { WorkerHandle } from "../../whatsapp/worker_handle.ts";
import { settled } from "../sessions/scripted_sockets.ts";

const BOUNDS = { hangMs: 15_000, startMs: 60_000, memoryLimitBytes: Infinity };
/** It reports an end when a socket is opened, and answers no heartbeat. */
const SCRIPT = new URL("../../lab/drills/leak_asker.ts", import.meta.url);

function startWorker() {
  const clock = new DrivenClock();
  const ends: [end: string, detail: string][] = [];
  const worker = new WorkerHandle({
    script: SCRIPT,
    settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock,
    unendedMs: 1_000,
    onUnended: () => {},
    onEnd: (end, detail) => ends.push([end, detail]),
    onFault: () => {},
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settled();
    worker.checkHeartbeat(BOUNDS);
  };
  return { worker, ends, pass };
}

Deno.test("checkHeartbeat() gives a worker up when it has not started within its time to start", async () => {
  const { worker, ends, pass } = startWorker();
  await pass(0);
  await pass(BOUNDS.startMs - 1);
  assert.deepEqual(ends, []);
  await pass(1);
  assert.deepEqual(ends, [["hung", "No answer within 60000 ms."]]);
  await worker.stop();
});

Deno.test("checkHeartbeat() gives a worker up when it has started and its heartbeat takes too long", async () => {
  const { worker, ends, pass } = startWorker();
  await pass(0);
  await pass(BOUNDS.startMs - 1);
  const started = Promise.withResolvers<void>();
  worker.open(1, { kind: "pair" }, {
    onEvent: () => started.resolve(),
    onRequest: () => Promise.reject(new Error("The socket is over.")),
  });
  await started.promise;
  await pass(BOUNDS.hangMs - 1);
  assert.deepEqual(ends, [], "the time that its start has taken does not count");
  await pass(1);
  assert.deepEqual(ends, [["hung", "No answer within 15000 ms."]]);
  await worker.stop();
});
