import assert from "node:assert/strict";
import { systemClock } from "../../runtime/clock.ts";
import { WorkerHandle } from "../../whatsapp/worker_handle.ts";

Deno.test({
  name:
    "WorkerHandle rejects a socket's requests when the socket has ended, so that none waits in the worker for ever",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const answers: string[] = [];
    const bothAnswered = Promise.withResolvers<void>();
    const worker = new WorkerHandle({
      script: new URL("./leak_asker.ts", import.meta.url),
      settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
      clock: systemClock,
      unendedMs: 1_000,
      onUnended: () => {},
      onEnd: (end) => bothAnswered.reject(new Error(end)),
      onFault: (name) => {
        answers.push(name);
        if (answers.length === 2) bothAnswered.resolve();
      },
    });
    worker.open(1, { kind: "pair" }, {
      onEvent: () => {},
      onRequest: () => Promise.reject(new Error("The socket is over.")),
    });
    await bothAnswered.promise;
    await worker.stop();
    assert.deepEqual(answers, ["1:refused", "2:refused"]);
  },
});
