import assert from "node:assert/strict";
import { PairingSlots } from "../../sessions/pairing_slots.ts";

Deno.test("take() gives as many slots as there are, and another when one is freed", () => {
  const slots = new PairingSlots(2);
  const first = slots.take();
  assert.ok(first !== null && slots.take() !== null);
  assert.equal(slots.take(), null);
  first.free();
  assert.ok(slots.take() !== null);
  assert.equal(slots.take(), null);
});

Deno.test("free() makes room for one when it is called twice", () => {
  const slots = new PairingSlots(2);
  const first = slots.take();
  slots.take();
  first?.free();
  first?.free();
  assert.equal(slots.taken, 1);
});
