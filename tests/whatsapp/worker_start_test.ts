import assert from "node:assert/strict";
import { SocketWorker, type WorkerEnd } from "../../whatsapp/worker_handle.ts";
import type { SocketListener } from "../../sessions/ports/sockets.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

const BOUNDS = { hangMs: 15_000, startMs: 60_000, memoryLimitBytes: Infinity };
/** It says something when a socket is opened, and never gives a pulse. */
const SCRIPT = new URL("../../lab/drills/leak_asker.ts", import.meta.url);

const never = () => Promise.reject(new Error("The socket is over."));
const NOBODY: SocketListener = {
  qr: () => {},
  paired: () => Promise.resolve(),
  passkeyDemanded: () => {},
  identified: () => {},
  connected: () => {},
  closed: () => {},
  load: never,
  save: never,
};

function startWorker() {
  const clock = new DrivenClock();
  const ends: WorkerEnd[] = [];
  const worker = new SocketWorker({
    script: SCRIPT,
    settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock,
    unendedMs: 1_000,
    onUnended: () => {},
    onEnd: (end) => ends.push(end),
    onFault: () => {},
  });
  const pass = (ms: number) => {
    clock.advance(ms);
    worker.feelPulse(BOUNDS);
  };
  return { worker, ends, pass };
}

Deno.test("SocketWorker.feelPulse() leaves a worker its time to start, however slow the machine, but not for ever", async () => {
  const { worker, ends, pass } = startWorker();
  pass(0);
  pass(BOUNDS.startMs - 1);
  assert.deepEqual(ends, []);
  pass(1);
  assert.deepEqual(ends, ["hung"]);
  await worker.stop();
});

Deno.test("SocketWorker.feelPulse() gives up a worker that has started and owes its pulse for too long", async () => {
  const { worker, ends, pass } = startWorker();
  pass(0);
  pass(BOUNDS.startMs - 1);
  const started = Promise.withResolvers<void>();
  worker.open(1, { kind: "pair" }, { ...NOBODY, closed: () => started.resolve() });
  await started.promise;
  pass(BOUNDS.hangMs - 1);
  assert.deepEqual(ends, [], "what the start has taken does not count");
  pass(1);
  assert.deepEqual(ends, ["hung"]);
  await worker.stop();
});
