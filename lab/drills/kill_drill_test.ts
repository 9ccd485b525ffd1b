/**
 * The drill in short: a few kills at the moments that matter most, on each dialect.
 * @module
 */
import assert from "node:assert/strict";
import { isLeftOut } from "../databases/helpers.ts";
import { runDrill } from "./drill.ts";
import { breakGround, type DialectName } from "./ground.ts";
import type { Aim } from "./plan.ts";
import { Chance } from "./random.ts";

const MOMENTS: readonly Aim[] = ["scanned", "connecting", "prekeys"];
const SEED = 20_260_104;

async function drill(dialect: DialectName): Promise<void> {
  await using ground = await breakGround(dialect);
  if (ground === null) return; // no server here, and none is required
  const tally = await runDrill({ ground, chance: new Chance(SEED), kills: MOMENTS, bound: 4, links: 1 });
  assert.deepEqual(tally.losses, []);
  assert.deepEqual(tally.faults, []);
  assert.deepEqual(
    [tally.killed, tally.missed, tally.ghosts, tally.overlaps],
    [MOMENTS.length, 0, 0, 0],
  );
  assert.ok(tally.stakes >= MOMENTS.length);
}

for (const dialect of ["sqlite", "mysql"] as const) {
  if (!isLeftOut({ name: dialect })) Deno.test(`links survive kill -9 on ${dialect}`, () => drill(dialect));
}
