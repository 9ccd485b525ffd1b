import assert from "node:assert/strict";
import { peakPerSecond, perSecond } from "./stampede_meter.ts";
import { Admission } from "../../sessions/admission.ts";
import { DrivenClock } from "../clocks/driven_clock.ts";
import { runStampede } from "./stampede_run.ts";
import { DrivenTime } from "./stampede_time.ts";

Deno.test({
  name: "sessions that dropped together come back together, and never faster than the limit",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const time = new DrivenTime();
    const { violations, attempts, attemptsWhileDown, peakDeparted } = await runStampede({
      sessions: 6,
      downMs: 1_500,
      perSecond: 4,
      policy: { backoff: { baseMs: 50, quickMs: 200, capMs: 200 } },
      time,
    });
    assert.deepEqual(violations, []);
    // The limit was what held them: there was more to do than it let through.
    assert.equal(peakDeparted, 4);
    assert.equal(attemptsWhileDown, 8);
    assert.equal(attempts, attemptsWhileDown + 6);
    assert.ok(time.longestQueue > 0);
  },
});

Deno.test("peakPerSecond() finds the fullest second wherever it begins", () => {
  assert.equal(peakPerSecond([]), 0);
  assert.equal(peakPerSecond([100, 900, 1_050, 1_099, 1_100, 3_000]), 4);
});

Deno.test("perSecond() counts each second from the beginning, empty ones included", () => {
  assert.deepEqual(perSecond([1_000, 1_999, 4_000], 1_000), [2, 0, 0, 1]);
});

Deno.test("Admission counts a turn's attempt when it is made, however long after the turn", async () => {
  const clock = new DrivenClock();
  const admission = new Admission({ concurrent: 10, perSecond: 2, clock });
  const admitted: number[] = [];
  const turns = [0, 1, 2, 3].map((n) => admission.ask(() => admitted.push(n)));
  await Promise.resolve();
  assert.deepEqual(admitted, [0, 1]);
  clock.advance(5_000);
  assert.deepEqual(admitted, [0, 1], "both may still be made within one second");
  admission.count(turns[0]);
  clock.advance(600);
  admission.count(turns[1]);
  clock.advance(399);
  assert.deepEqual(admitted, [0, 1]);
  clock.advance(1);
  assert.deepEqual(admitted, [0, 1, 2]);
  turns[2]?.giveUp();
  clock.advance(599);
  assert.deepEqual(admitted, [0, 1, 2]);
  clock.advance(1);
  assert.deepEqual(admitted, [0, 1, 2, 3]);
  admission.count(turns[3]);
  admission.count(turns[3]);
  for (const turn of turns) turn.giveUp();
  assert.equal(clock.pending, 0);
});
