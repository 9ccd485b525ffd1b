import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedClock } from "../../replicas/shared_clock.ts";
import { DrivenClock } from "../whatsapp/driven_clock.ts";

Deno.test("SharedClock follows the database's clock, however far the machine's is off and however slow the way", () => {
  fc.assert(fc.property(
    fc.integer({ min: -86_400_000, max: 86_400_000 }),
    fc.nat(2_000),
    fc.nat(2_000),
    (offMs, thereMs, backMs) => {
      const machine = new DrivenClock();
      const clock = new SharedClock(machine);
      const asked = clock.now();
      machine.advance(thereMs);
      const told = machine.now() + offMs;
      machine.advance(backMs);
      clock.follow(told, asked);
      const error = Math.abs(clock.now() - (machine.now() + offMs));
      assert.ok(error <= Math.max(250, (thereMs + backMs) / 2 + 1), `${error} ms off`);
      assert.equal(clock.fromMachine(machine.now()), clock.now());
    },
  ));
});

Deno.test("SharedClock stays as it is while the difference may be the network's", () => {
  const machine = new DrivenClock();
  const clock = new SharedClock(machine);
  const asked = clock.now();
  machine.advance(40);
  clock.follow(machine.now() - 100, asked);
  assert.equal(clock.now(), machine.now());
});
