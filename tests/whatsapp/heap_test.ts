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
