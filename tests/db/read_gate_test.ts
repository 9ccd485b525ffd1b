import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { ReadGate } from "../../db/read_gate.ts";

const locked = () =>
  new StoreUnavailableError(Object.assign(new Error("Lock wait timeout"), { errno: 1205 }));

Deno.test("ReadGate lets one read wait for a lock, and the others pass when that is over", async () => {
  const probes: PromiseWithResolvers<void>[] = [];
  const gate = new ReadGate(() => {
    probes.push(Promise.withResolvers());
    return probes.at(-1)!.promise;
  });
  let reads = 0;
  const read = () => gate.run(() => Promise.resolve(++reads));
  assert.equal(await read(), 1);
  await assert.rejects(gate.run(() => Promise.reject(locked())), StoreUnavailableError);
  let refusal: StoreUnavailableError | undefined;
  for (let n = 0; n < 3; n++) {
    await assert.rejects(read(), (error) => {
      refusal = error as StoreUnavailableError;
      return error instanceof StoreUnavailableError;
    });
  }
  assert.equal(reads, 1);
  assert.equal(probes.length, 1);
  probes[0]!.reject(locked());
  await assert.rejects(read(), StoreUnavailableError);
  while (probes.length < 2) await Promise.resolve();
  probes[1]!.resolve();
  await refusal!.recovery;
  assert.equal(await read(), 2);
});

Deno.test("ReadGate closes for no other failure, and opens when its own read fails otherwise", async () => {
  let probes = 0;
  const gate = new ReadGate(() => {
    probes++;
    return Promise.reject(new StoreUnavailableError(new Error("gone")));
  });
  for (const error of [new StoreUnavailableError(new Error("gone")), new Error("a fault of ours")]) {
    await assert.rejects(gate.run(() => Promise.reject(error)));
    assert.equal(await gate.run(() => Promise.resolve("read")), "read");
  }
  assert.equal(probes, 0);
  const met = locked();
  await assert.rejects(gate.run(() => Promise.reject(met)), met);
  for (let n = 0; n < 10; n++) await Promise.resolve();
  assert.equal(await gate.run(() => Promise.resolve("read")), "read");
  assert.equal(probes, 1);
});
