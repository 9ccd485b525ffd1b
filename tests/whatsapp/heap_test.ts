import assert from "node:assert/strict";
import { tidyHeap } from "../../whatsapp/worker/heap.ts";

Deno.test("tidyHeap() gives back what nobody holds any more, and leaves no way to the collector behind", () => {
  let held: number[][] | null = Array.from(
    { length: 200 },
    () => Array.from({ length: 20_000 }, () => Math.random()),
  );
  const full = Deno.memoryUsage().heapTotal;
  assert.equal(held.length, 200);
  held = null;
  tidyHeap();
  assert.ok(full - Deno.memoryUsage().heapTotal > 20 * 2 ** 20);
  assert.ok(!("gc" in globalThis));
});

Deno.test("tidyHeap() harms no thread when many tidy up at the same time", async () => {
  const workers = Array.from(
    { length: 6 },
    () => new Worker(new URL("./heap_probe.ts", import.meta.url), { type: "module" }),
  );
  const outcomes = workers.map((worker) => {
    const outcome = Promise.withResolvers<unknown>();
    worker.onmessage = ({ data }) => outcome.resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      outcome.resolve(event.message);
    };
    return outcome.promise;
  });
  assert.deepEqual(await Promise.all(outcomes), workers.map(() => "tidy"));
  for (const worker of workers) worker.terminate();
});
