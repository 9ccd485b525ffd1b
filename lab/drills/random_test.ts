import assert from "node:assert/strict";
import { AIMS, aims, planRound } from "./plan.ts";
import { Chance } from "./random.ts";

Deno.test("Chance makes the same choices again when the seed is the same", () => {
  const choices = (seed: number) => {
    const chance = new Chance(seed);
    return [chance.below(1_000), chance.pick(["a", "b", "c"]), chance.shuffled([1, 2, 3, 4, 5])];
  };
  assert.deepEqual(choices(7), choices(7));
  assert.notDeepEqual(choices(7), choices(8));
});

Deno.test("aims() gives every moment its share", () => {
  const drawn = aims(100, new Chance(1));
  assert.equal(drawn.length, 100);
  for (const aim of AIMS) assert.ok(drawn.filter((one) => one === aim).length >= 4, aim);
});

Deno.test("planRound() keeps the number of links within its bound", () => {
  const chance = new Chance(1);
  for (let round = 0; round < 200; round++) {
    const plan = planRound("random", 20, 20, chance);
    assert.ok(20 + plan.pairings - plan.logouts.length <= 20);
    assert.ok(plan.delayMs <= 800);
  }
});
