import assert from "node:assert/strict";
import { forTheLiving } from "../../whatsapp/worker/key_store.ts";

Deno.test("forTheLiving() withholds an answer that comes after the socket is over", async () => {
  let isOver = false;
  const found = new Map([["1", "value"]]);
  const late = Promise.withResolvers<void>();
  const vault = forTheLiving({
    load: () => Promise.resolve(found),
    save: () => late.promise,
  }, () => isOver);
  assert.equal(await vault.load("session", ["1"]), found);
  const saved = vault.save([]);
  isOver = true;
  late.resolve();
  await assert.rejects(saved);
  await assert.rejects(vault.load("session", ["1"]));
});
