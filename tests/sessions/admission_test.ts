import assert from "node:assert/strict";
import fc from "fast-check";
import { Admission, type Turn } from "../../sessions/admission.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

/** Lets the admission's own turn of the event loop pass. */
const settle = () => new Promise<void>((resolve) => queueMicrotask(resolve));

Deno.test("Admission admits in order, so many at a time, and never while it is asked", async () => {
  const admission = new Admission({ concurrent: 2, perSecond: 100, clock: new DrivenClock() });
  const admitted: number[] = [];
  const turns = [0, 1, 2, 3].map((n) => admission.ask(() => admitted.push(n)));
  assert.deepEqual(admitted, []);
  await settle();
  assert.deepEqual(admitted, [0, 1]);
  turns[2]?.giveUp();
  turns[0]?.giveUp();
  turns[0]?.giveUp();
  assert.deepEqual(admitted, [0, 1, 3]);
  assert.equal(admission.waiting, 0);
});

Deno.test("Admission keeps within the limit of every second, whatever is asked, given up and counted", async () => {
  const step = fc.oneof(
    fc.constant("ask" as const),
    fc.constant("give up" as const),
    fc.constant("count" as const),
    fc.integer({ min: 1, max: 700 }),
    fc.record({ setMs: fc.integer({ min: -86_400_000, max: 86_400_000 }) }),
  );
  await fc.assert(fc.asyncProperty(
    fc.array(step, { maxLength: 200 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 5 }),
    async (steps, concurrent, perSecond) => {
      const clock = new DrivenClock();
      const admission = new Admission({ concurrent, perSecond, clock });
      const made: { at: number; counted: boolean }[] = [];
      const turns: Turn[] = [];
      let inside = 0;
      for (const what of steps) {
        if (what === "ask") {
          let admitted = false;
          const turn = admission.ask(() => {
            admitted = true;
            inside++;
            made.push({ at: clock.steady(), counted: false });
          });
          turns.push({
            giveUp: () => {
              if (admitted) inside--;
              admitted = false;
              turn.giveUp();
            },
          });
        } else if (what === "give up") turns.shift()?.giveUp();
        else if (what === "count") {
          admission.count();
          made.push({ at: clock.steady(), counted: true });
        } else if (typeof what === "object") clock.setWall(what.setMs);
        else clock.advance(what);
        await settle();
        assert.ok(inside <= concurrent);
      }
      for (const { at, counted } of made) {
        // What could not wait is not held back; what could wait is, by everything of the second before it.
        if (counted) continue;
        const second = made.filter((other) => other.at > at - 1_000 && other.at <= at && !other.counted);
        assert.ok(second.length <= perSecond, `${second.length} in one second`);
      }
      for (const turn of turns) turn.giveUp();
      clock.advance(60_000);
      admission.stop();
      assert.equal(clock.pending, 0);
    },
  ));
});

Deno.test("Admission admits at the same moments, whatever the wall clock is set to", async () => {
  const round = fc.record({
    what: fc.constantFrom("ask" as const, "give up" as const, "count" as const),
    passMs: fc.nat(700),
    setMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  });
  type Round = { what: "ask" | "give up" | "count"; passMs: number; setMs: number };
  const run = async (rounds: readonly Round[], perSecond: number) => {
    const clock = new DrivenClock();
    const admission = new Admission({ concurrent: 3, perSecond, clock });
    const admitted: [turn: number, at: number][] = [];
    const turns: Turn[] = [];
    let asked = 0;
    for (const { what, passMs, setMs } of rounds) {
      if (what === "ask") {
        const turn = asked++;
        turns.push(admission.ask(() => admitted.push([turn, clock.steady()])));
      } else if (what === "give up") turns.shift()?.giveUp();
      else admission.count();
      await settle();
      clock.setWall(setMs);
      clock.advance(passMs);
    }
    // Those that still wait have only the limit of a second before them.
    clock.advance(60_000);
    admission.stop();
    return admitted;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(round, { maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      async (rounds, n) => {
        const stepless = rounds.map((one) => ({ ...one, setMs: 0 }));
        assert.deepEqual(await run(rounds, n), await run(stepless, n));
      },
    ),
  );
});
