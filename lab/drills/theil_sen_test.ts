import assert from "node:assert/strict";
import fc from "fast-check";
import { Chance } from "./random.ts";
import { type Point, theilSen } from "./theil_sen.ts";

const points = (xs: readonly number[], y: (x: number, i: number) => number): Point[] =>
  xs.map((x, i) => ({ x, y: y(x, i) }));
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i * 50);

Deno.test("theilSen() gives the slope and the interval of Sen's own example", () => {
  const ys = [9, 15, 19, 20, 45, 55, 78];
  const sen = theilSen([points([1, 2, 3, 4, 10, 12, 18], (_, i) => ys[i]!)], 1.811911)!;
  assert.equal(sen.slope, 4);
  assert.deepEqual([sen.low, sen.high], [26 / 7, 35 / 8]);
});

Deno.test("theilSen() finds the slope of any lines that are parallel, however high each of them lies", () => {
  fc.assert(fc.property(
    fc.integer({ min: -5_000, max: 5_000 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 1e8 }), fc.integer({ min: 2, max: 12 })), {
      minLength: 1,
      maxLength: 4,
    }),
    (slope, lines) => {
      const found = theilSen(lines.map(([start, n]) => points(upTo(n), (x) => start + slope * x)))!;
      assert.equal(found.slope, slope);
      assert.equal(found.samples, lines.reduce((sum, [, n]) => sum + n, 0));
      assert.ok(found.low <= slope && slope <= found.high);
    },
  ));
});

Deno.test("theilSen() is not misled by a few samples that are far off", () => {
  const line = points(upTo(30), (x, i) => 3 * x + (i % 9 === 4 ? 1e9 : (i * 37) % 11));
  const { slope, low, high } = theilSen([line])!;
  assert.ok(Math.abs(slope - 3) < 0.1 && low > 2.5 && high < 3.5, `${low} < ${slope} < ${high}`);
});

Deno.test("theilSen() has the true slope in its interval 95 times in a hundred", () => {
  const chance = new Chance(20_261_124);
  // The sum of twelve is as good as normal.
  const noise = () => Array.from({ length: 12 }, () => chance.next()).reduce((sum, one) => sum + one, -6);
  const held = Array.from({ length: 1_000 }, () => {
    const runs = [12, 20, 9].map((n) => points(upTo(n), (x) => 70 * x + 40_000 * noise()));
    const { low, high } = theilSen(runs)!;
    return low <= 70 && 70 <= high;
  }).filter(Boolean).length;
  assert.ok(held >= 930 && held <= 970, `${held} of 1000`);
});

Deno.test("theilSen() knows no bounds with two samples, and nothing at all with one", () => {
  const pair = theilSen([points([0, 50], (x) => x)])!;
  assert.deepEqual(pair, { slope: 1, low: -Infinity, high: Infinity, samples: 2 });
  assert.equal(theilSen([points([0], (x) => x), []]), null);
});
