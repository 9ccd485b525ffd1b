import assert from "node:assert/strict";
import { fuzz } from "./fuzz.ts";

Deno.test("the front door keeps to its document when requests are made up from it", async () => {
  const seed = Date.now() % 2 ** 31;
  const folder = await Deno.makeTempDir();
  try {
    const { faults, requests } = await fuzz(`sqlite:${folder}/fuzz.db`, 1_500, seed);
    assert.deepEqual(faults.slice(0, 5), [], `seed ${seed}`);
    assert.ok(requests > 1_000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
