import assert from "node:assert/strict";
import { systemClock } from "../../runtime/clock.ts";
import { SocketWorker } from "../../whatsapp/worker_handle.ts";

Deno.test({
  name: "SocketWorker refuses what a socket asks after its end, so that nothing waits in the worker for ever",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const answers: string[] = [];
    const bothAnswered = Promise.withResolvers<void>();
    const worker = new SocketWorker({
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
    const unasked = () => Promise.reject(new Error("The socket is over."));
    worker.open(1, { kind: "pair" }, {
      qr: () => {},
      paired: () => Promise.resolve(),
      passkeyDemanded: () => {},
      identified: () => {},
      connected: () => {},
      closed: () => {},
      load: unasked,
      save: unasked,
    });
    await bothAnswered.promise;
    await worker.stop();
    assert.deepEqual(answers, ["1:refused", "2:refused"]);
  },
});
