import assert from "node:assert/strict";
import fc from "fast-check";
import { type Turn, Turns } from "../../db/turns.ts";

/** Lets promises that are resolved tell. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

Deno.test("turns come in order, never more than there are places, whoever leaves or ends", async () => {
  const steps = fc.array(
    fc.oneof(
      fc.constant({ do: "ask" as const }),
      fc.record({ do: fc.constantFrom("leave" as const, "end" as const), which: fc.nat(20) }),
    ),
    { maxLength: 60 },
  );
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, async (places, steps) => {
    const turns = new Turns(places);
    const asked: { turn: Turn; hasCome: boolean; isOver: boolean }[] = [];
    for (const step of steps) {
      if (step.do === "ask") {
        const one = { turn: turns.ask(), hasCome: false, isOver: false };
        void one.turn.come.then(() => one.hasCome = true);
        asked.push(one);
      } else {
        const one = asked[step.which];
        if (one === undefined) continue;
        one.turn[step.do]();
        if (step.do === "end" || !one.hasCome) one.isOver = true;
      }
      await settle();
      const present = asked.filter(({ isOver }) => !isOver);
      const having = present.filter(({ hasCome }) => hasCome);
      assert.equal(having.length, Math.min(places, present.length));
      assert.deepEqual(present.slice(0, having.length), having, "in the order in which they were asked for");
      assert.equal(turns.waiting, present.length - having.length);
    }
  }));
});
