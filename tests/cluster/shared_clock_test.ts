import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedClock } from "../../cluster/shared_clock.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

/** By how much a machine's clock is off, or set. */
const off = fc.integer({ min: -86_400_000, max: 86_400_000 });

Deno.test("SharedClock follows the database's clock, however far the machine's is off and however slow the way", () => {
  fc.assert(fc.property(off, off, fc.nat(2_000), fc.nat(2_000), (offMs, setMs, thereMs, backMs) => {
    const machine = new DrivenClock();
    const clock = new SharedClock(machine);
    const database = machine.now() + offMs - machine.steady();
    const asked = clock.steady();
    machine.advance(thereMs);
    const told = database + machine.steady();
    // A step while the question is on its way makes the way no longer and no shorter.
    machine.setWall(setMs);
    machine.advance(backMs);
    clock.follow(told, asked);
    const error = Math.abs(clock.now() - (database + machine.steady()));
    assert.ok(error <= Math.max(250, (thereMs + backMs) / 2 + 1), `${error} ms off`);
  }));
});

Deno.test("SharedClock stays as it is while the difference may be the network's", () => {
  const machine = new DrivenClock();
  const clock = new SharedClock(machine);
  const asked = clock.steady();
  machine.advance(40);
  clock.follow(machine.now() - 100, asked);
  assert.equal(clock.now(), machine.now());
});

Deno.test("SharedClock is the machine's clock, steps and all, until the database has told its own", () => {
  const machine = new DrivenClock();
  const clock = new SharedClock(machine);
  machine.setWall(-3_600_000);
  assert.equal(clock.now(), machine.now());
  machine.setWall(86_400_000);
  assert.equal(clock.now(), machine.now());
});

Deno.test("SharedClock goes on as time does, once the database has told its own, however the machine's is set", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), ms: off }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(10_000) }),
    fc.record({ kind: fc.constant("ask" as const), ms: fc.nat(100) }),
  );
  fc.assert(fc.property(off, fc.array(step), (offMs, steps) => {
    const machine = new DrivenClock();
    const clock = new SharedClock(machine);
    const database = machine.now() + offMs - machine.steady();
    clock.follow(database + machine.steady(), clock.steady());
    for (const { kind, ms } of steps) {
      const asked = clock.steady();
      if (kind === "set") machine.setWall(ms);
      else machine.advance(ms);
      if (kind === "ask") clock.follow(database + machine.steady(), asked);
      const error = Math.abs(clock.now() - (database + machine.steady()));
      assert.ok(error <= 250, `${error} ms off`);
    }
  }));
});
