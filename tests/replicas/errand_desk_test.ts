import assert from "node:assert/strict";
import fc from "fast-check";
import type { ErrandState } from "../../domain/leases.ts";
import { ErrandDesk } from "../../replicas/errand_desk.ts";
import { DrivenClock } from "../whatsapp/driven_clock.ts";

const LOOK_MS = 100;
const SILENT_LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A desk whose errand stands as it is told. */
class Stage {
  readonly clock = new DrivenClock();
  state: ErrandState = { kind: "open" };
  /** How often the errand was looked at. */
  looks = 0;
  dropped = 0;
  readonly desk = new ErrandDesk({
    clock: this.clock,
    log: SILENT_LOG,
    lookMs: LOOK_MS,
    leases: {
      sendErrand: () => Promise.resolve(7),
      errandsFor: () => Promise.resolve([]),
      settleErrand: () => Promise.resolve(),
      errandState: () => {
        this.looks++;
        return Promise.resolve(this.state);
      },
      dropErrand: () => {
        this.dropped++;
        return Promise.resolve();
      },
    },
  });

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

Deno.test("ask() gives up after its time and never before, whatever the wall clock is set to meanwhile", async () => {
  const off = fc.integer({ min: -86_400_000, max: 86_400_000 });
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 1, max: 5_000 }),
    fc.array(off, { minLength: 60, maxLength: 60 }),
    async (waitMs, steps) => {
      const stage = new Stage();
      let answer: unknown;
      const asked = stage.desk.ask("other", "sender_1", { type: "qr_requested" }, waitMs)
        .then((state) => answer = state);
      await stage.pass(0);
      const rounds = Math.ceil(waitMs / LOOK_MS);
      for (let round = 0; round < rounds; round++) {
        assert.equal(answer, undefined, `gave up after ${round * LOOK_MS} of ${waitMs} ms`);
        stage.clock.setWall(steps[round] ?? 0);
        await stage.pass(LOOK_MS);
      }
      assert.deepEqual(answer, { kind: "late" });
      await asked;
      assert.deepEqual([stage.looks, stage.dropped, stage.clock.pending], [rounds + 1, 1, 0]);
    },
  ));
});

Deno.test("ask() answers with what came of it, as soon as it is looked at again", async () => {
  const stage = new Stage();
  const asked = stage.desk.ask("other", "sender_1", { type: "qr_requested" }, 1_000);
  await stage.pass(LOOK_MS);
  stage.state = { kind: "done", outcome: "done" };
  await stage.pass(LOOK_MS);
  assert.deepEqual(await asked, stage.state);
  assert.equal(stage.dropped, 1);
});
