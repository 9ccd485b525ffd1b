import assert from "node:assert/strict";
import fc from "fast-check";
import { Breaker, BREAKER_BOUNDS, SilenceError } from "../../db/breaker.ts";
import { STORE_BOUNDS } from "../../db/terms.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

const { silenceMs, doubtMs, pauseMs } = BREAKER_BOUNDS;

/** A breaker, the time it goes by, and the probes that it sends. */
class Stage {
  readonly time = new DrivenClock();
  /** Probes that have not been answered. */
  readonly probes: PromiseWithResolvers<void>[] = [];
  sent = 0;
  most = 0;
  readonly breaker = new Breaker({
    time: this.time,
    probe: (signal) => {
      const probe = Promise.withResolvers<void>();
      this.probes.push(probe);
      this.sent++;
      this.most = Math.max(this.most, this.probes.length);
      signal.addEventListener("abort", () => this.settle((one) => one.reject(signal.reason)));
      return probe.promise;
    },
  });

  /** Answers the probe that is under way, if there is one, or lets it fail. */
  settle(how: (probe: PromiseWithResolvers<void>) => void): void {
    const probe = this.probes.shift();
    if (probe !== undefined) how(probe);
  }

  async pass(ms: number): Promise<void> {
    await turns();
    this.time.advance(ms);
    await turns();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const nobody = () => assert.fail("It was given up.");

Deno.test("a call is refused within 3 s when the database falls silent, whatever it waits for", () => {
  assert.ok(silenceMs + doubtMs < 3_000);
  assert.ok(STORE_BOUNDS.callMs < 3_000);
  // Renewed every second, given up after 7 s without: three attempts at least.
  assert.ok(3 * (1_000 + STORE_BOUNDS.controlMs) <= 7_500);
});

Deno.test("who asks a database that has fallen silent is given up, others are refused until a probe is answered", async () => {
  const stage = new Stage();
  const refused: SilenceError[] = [];
  stage.breaker.ask((error) => refused.push(error));
  await stage.pass(silenceMs - 1);
  assert.equal(stage.sent, 0);
  await stage.pass(1);
  assert.equal(stage.sent, 1);
  assert.equal(stage.breaker.isOpen, false);
  stage.breaker.admit();
  stage.breaker.ask((error) => refused.push(error));
  await stage.pass(doubtMs);
  assert.equal(refused.length, 2);
  assert.throws(() => stage.breaker.admit(), SilenceError);

  let isBack = false;
  void refused[0]!.recovery.then(() => isBack = true);
  for (let probe = 0; probe < 3; probe++) {
    stage.settle((one) => one.reject(new Error("silent")));
    await stage.pass(pauseMs);
    assert.equal(stage.probes.length, 1);
    assert.equal(isBack, false);
  }
  stage.settle((one) => one.resolve());
  await stage.pass(0);
  assert.equal(isBack, true);
  stage.breaker.admit();
  assert.equal(stage.time.pending, 0);
  assert.equal(stage.most, 1);
});

Deno.test("the breaker stays closed when a statement is slow and the probe is answered", async () => {
  const stage = new Stage();
  const end = stage.breaker.ask(nobody);
  for (let round = 0; round < 5; round++) {
    await stage.pass(silenceMs);
    assert.equal(stage.probes.length, 1);
    await stage.pass(doubtMs - 1);
    stage.settle((one) => one.resolve());
    await stage.pass(0);
    stage.breaker.admit();
  }
  end();
  await stage.pass(silenceMs);
  assert.equal(stage.time.pending, 0);
  assert.equal(stage.sent, 5);
});

Deno.test("no probe is sent while answers come, or while nothing is asked", async () => {
  const stage = new Stage();
  for (let round = 0; round < 50; round++) {
    const end = stage.breaker.ask(nobody);
    await stage.pass(silenceMs / 2);
    stage.breaker.heard();
    end();
    await stage.pass(silenceMs * (round % 3));
  }
  assert.equal(stage.sent, 0);
});

Deno.test("end() gives up what is asked of a database that answers, and refuses what comes later", async () => {
  const stage = new Stage();
  const refusals: SilenceError[] = [];
  stage.breaker.ask((error) => refusals.push(error));
  stage.breaker.end();
  assert.equal(refusals.length, 1);
  assert.throws(() => stage.breaker.admit(), SilenceError);
  await stage.pass(silenceMs);
  assert.equal(stage.time.pending, 0);
  assert.equal(stage.sent, 0);
});

Deno.test("end() leaves no probe and no timer, and whoever waits for the database goes on", async () => {
  const stage = new Stage();
  const refusals: SilenceError[] = [];
  stage.breaker.ask((error) => refusals.push(error));
  await stage.pass(silenceMs);
  await stage.pass(doubtMs);
  stage.breaker.end();
  await refusals[0]!.recovery;
  await turns();
  assert.equal(stage.probes.length, 0);
  assert.equal(stage.time.pending, 0);
});

Deno.test("whatever happens, the breaker keeps few timers and one probe, and refuses nobody without one that goes unanswered", async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant("ask" as const), times: fc.integer({ min: 1, max: 50 }) }),
      fc.constantFrom({ do: "hear" as const }, { do: "answer" as const }, { do: "fail" as const }),
      fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
    ),
    { maxLength: 40 },
  );
  await fc.assert(fc.asyncProperty(steps, async (steps) => {
    const stage = new Stage();
    let open: (() => void)[] = [];
    let isEnding = false;
    let lastAnswer = stage.time.steady();
    for (const step of steps) {
      switch (step.do) {
        case "ask":
          for (let n = 0; n < step.times; n++) {
            try {
              stage.breaker.admit();
            } catch {
              break;
            }
            const end = stage.breaker.ask((error) => {
              assert.ok(error instanceof SilenceError);
              const silentMs = stage.time.steady() - lastAnswer;
              assert.ok(isEnding || silentMs >= doubtMs, "refused although something came back");
              open = open.filter((one) => one !== end);
            });
            open.push(end);
          }
          break;
        case "hear":
          stage.breaker.heard();
          open.shift()?.();
          break;
        case "answer":
          if (stage.probes.length > 0) lastAnswer = stage.time.steady();
          stage.settle((one) => one.resolve());
          break;
        case "fail":
          stage.settle((one) => one.reject(new Error("silent")));
          break;
        case "pass":
          for (let passed = 0; passed < step.ms; passed += 250) await stage.pass(250);
          break;
      }
      await turns();
      assert.ok(stage.most <= 1);
      assert.ok(stage.time.pending <= 2);
      if (stage.breaker.isOpen) {
        assert.ok(stage.probes.length + stage.time.pending > 0, "nothing would ever close it");
        assert.equal(open.length, 0, "nobody waits for a database that is known not to answer");
      }
    }
    isEnding = true;
    stage.breaker.end();
    await turns();
    assert.equal(stage.time.pending, 0);
  }));
});
