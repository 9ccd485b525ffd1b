import assert from "node:assert/strict";
import { rejectAfterClose } from "../../whatsapp/worker/key_store.ts";

Deno.test("rejectAfterClose() rejects a load and a save when the socket is over before the answer", async () => {
  let isOver = false;
  const found = new Map([["1", "value"]]);
  const late = Promise.withResolvers<void>();
  const vault = rejectAfterClose({
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
