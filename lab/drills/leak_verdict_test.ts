import assert from "node:assert/strict";
import { LeakRecord, type Sample } from "./leak_record.ts";
import { judgeLeak } from "./leak_verdict.ts";

/** A sample of a drill in which so many bytes stay of every cycle. */
function sample(run: number, cycle: number, perCycle: { service?: number; worker?: number } = {}): Sample {
  const weight = (bytes = 0) => ({
    heapBytes: 20_000_000 * run + bytes * cycle + (cycle * 7_919) % 3_001,
    externalBytes: 1_000,
    timers: 4,
    others: 3,
  });
  return {
    run,
    cycle,
    service: weight(perCycle.service),
    worker: weight(perCycle.worker),
    rssBytes: 2e8,
    connections: 1,
    sockets: 1,
    supervised: 1,
    workersLost: 0,
    workerFaults: 0,
  };
}

const cycles = Array.from({ length: 20 }, (_, i) => i * 50);

Deno.test("judgeLeak() says what leaks, with its figures, when the interval lies above what is tolerated", () => {
  const runs = [1, 2].map((run) => cycles.map((cycle) => sample(run, cycle, { worker: 700, service: 20 })));
  const { faults, slopes } = judgeLeak(runs);
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /^worker, bytes: 7\d\d\.\d|^worker, bytes: 69\d\.\d/);
  const { slope, low, high, samples } = slopes.get("worker, bytes")!;
  assert.ok(low > 690 && slope > 690 && high < 710 && samples === 40);
});

Deno.test("judgeLeak() finds nothing when what is weighed only trembles, or grew in one place once", () => {
  assert.deepEqual(judgeLeak([cycles.map((cycle) => sample(1, cycle))]).faults, []);
  const grown = cycles.map((cycle) => {
    const one = sample(1, cycle);
    const heapBytes = one.worker.heapBytes + (cycle >= 150 ? 500_000 : 0);
    return { ...one, worker: { ...one.worker, heapBytes } };
  });
  assert.deepEqual(judgeLeak([grown]).faults, []);
});

Deno.test("judgeLeak() says what is more than it was, in whichever run", () => {
  const good = cycles.map((cycle) => sample(1, cycle));
  const bad = cycles.map((cycle) => ({ ...sample(2, cycle), sockets: cycle > 500 ? 2 : 1 }));
  assert.deepEqual(judgeLeak([good, bad]).faults, ["sockets in the workers: 1 before, 2 after"]);
});

Deno.test("LeakRecord goes on where it was, with a run of its own, and leaves out a line that was cut off", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const settings = { kinds: ["drop"], every: 50, warmUp: 10 };
    const first = await LeakRecord.open(`${folder}/new`, settings);
    assert.deepEqual([first.nextRun, first.cycles], [1, 0]);
    for (const cycle of [0, 50, 100]) await first.add(sample(1, cycle));
    await Deno.writeTextFile(`${folder}/new/leak.jsonl`, '{"run":1,"cyc', { append: true });

    const second = await LeakRecord.open(`${folder}/new`, settings);
    assert.deepEqual([second.nextRun, second.cycles], [2, 100]);
    for (const cycle of [0, 50]) await second.add(sample(2, cycle));
    const third = await LeakRecord.open(`${folder}/new`, settings);
    assert.deepEqual(third.runs(), second.runs());
    assert.deepEqual([third.nextRun, third.cycles], [3, 150]);
    await assert.rejects(LeakRecord.open(`${folder}/new`, { ...settings, every: 20 }), /other settings/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
