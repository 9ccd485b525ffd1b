import assert from "node:assert/strict";
import fc from "fast-check";
import { stopwatch, systemStopwatch } from "../../cluster/stopwatch.ts";
import { DAY_MS, HOUR_MS, setWallClock } from "../../lab/clocks/wall_clock.ts";

/** Any time that has passed. */
const passed = fc.record({ awakeMs: fc.nat(20_000), asleepMs: fc.nat(20_000) });

/**
 * A machine that rounds its uptime as Linux does, or as others do.
 * @param busyMs for how long each reading keeps the reader waiting
 */
function machine(bootedMsAgo: number, round: (seconds: number) => number, busyMs = 0) {
  let [steadyMs, upMs] = [0, bootedMsAgo];
  const pass = (awakeMs: number, asleepMs: number) => {
    steadyMs += awakeMs;
    upMs += awakeMs + asleepMs;
  };
  const read = (what: () => number) => {
    const found = what();
    pass(busyMs, 0);
    return found;
  };
  return {
    stopwatch: stopwatch(() => read(() => steadyMs), () => read(() => round(upMs / 1_000) * 1_000)),
    pass,
  };
}

Deno.test("since() is exactly the time for which the machine was awake, while it does not sleep", () => {
  fc.assert(fc.property(
    fc.nat(100_000),
    fc.constantFrom(Math.ceil, Math.floor),
    fc.array(fc.nat(20_000), { maxLength: 20 }),
    (bootedMsAgo, round, awake) => {
      const { stopwatch, pass } = machine(bootedMsAgo, round);
      const mark = stopwatch.mark();
      let truth = 0;
      for (const ms of awake) {
        pass(ms, 0);
        truth += ms;
        assert.equal(stopwatch.since(mark), truth);
      }
    },
  ));
});

Deno.test("since() takes a machine that is busy between two readings for no machine that has slept", () => {
  fc.assert(fc.property(
    fc.nat(100_000),
    fc.constantFrom(Math.ceil, Math.floor),
    fc.nat(2_000),
    fc.array(fc.nat(20_000), { minLength: 1, maxLength: 20 }),
    (bootedMsAgo, round, busyMs, awake) => {
      const { stopwatch, pass } = machine(bootedMsAgo, round, busyMs);
      const mark = stopwatch.mark();
      let truth = 2 * busyMs; // the mark's own two readings
      for (const ms of awake) {
        pass(ms, 0);
        truth += ms + busyMs; // and that of the uptime
        assert.equal(stopwatch.since(mark), truth);
        truth += busyMs;
      }
    },
  ));
});

Deno.test("since() leaves out less than two seconds of sleep, and nothing once the machine has slept for two", () => {
  fc.assert(fc.property(
    fc.nat(100_000),
    fc.constantFrom(Math.ceil, Math.floor),
    fc.array(passed, { maxLength: 20 }),
    (bootedMsAgo, round, times) => {
      const { stopwatch, pass } = machine(bootedMsAgo, round);
      const mark = stopwatch.mark();
      let [truth, slept] = [0, 0];
      for (const { awakeMs, asleepMs } of times) {
        pass(awakeMs, asleepMs);
        truth += awakeMs + asleepMs;
        slept += asleepMs;
        const told = stopwatch.since(mark);
        assert.ok(told > truth - 2_000 && told < truth + 2_000, `${told} for ${truth}`);
        if (slept >= 2_000) assert.ok(told >= truth, `${told} for ${truth}`);
      }
    },
  ));
});

Deno.test("the system's stopwatch does not notice that the wall clock is set", () => {
  const mark = systemStopwatch.mark();
  for (const byMs of [-HOUR_MS, DAY_MS]) {
    using _set = setWallClock(byMs);
    const ms = systemStopwatch.since(mark);
    assert.ok(ms >= 0 && ms < HOUR_MS, `${ms}`);
  }
});

Deno.test("the system's stopwatch reads the machine's own uptime", () => {
  const before = Deno.osUptime() * 1_000;
  const { up } = systemStopwatch.mark();
  assert.ok(up >= before && up <= Deno.osUptime() * 1_000, `${up}`);
});
