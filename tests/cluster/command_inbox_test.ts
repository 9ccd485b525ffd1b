import type { CommandOutcome } from "../../sessions/ports/ownership.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { CommandState } from "../../cluster/ports.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { CommandInbox } from "../../cluster/command_inbox.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

const LOOK_MS = 100;
const SILENT_LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A desk whose command stands as it is told. */
class Stage {
  readonly clock = new DrivenClock();
  state: CommandState = { kind: "open" };
  /** How often the command was looked at. */
  looks = 0;
  dropped = 0;
  readonly desk = new CommandInbox({
    clock: this.clock,
    log: SILENT_LOG,
    lookMs: LOOK_MS,
    leases: {
      sendCommand: () => Promise.resolve(7),
      commandsFor: () => Promise.resolve([]),
      settleCommand: () => Promise.resolve(),
      commandState: () => {
        this.looks++;
        return Promise.resolve(this.state);
      },
      dropCommand: () => {
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
  stage.state = { kind: "done", result: null };
  await stage.pass(LOOK_MS);
  assert.deepEqual(await asked, stage.state);
  assert.equal(stage.dropped, 1);
});

const DONE: CommandOutcome = { kind: "done", result: null };

/** A desk over a table of commands, each answer of which comes when the test says so. */
class Table {
  readonly rows = new Map<number, CommandOutcome | null>();
  /** What was run, by the ids of the commands. */
  readonly run: string[] = [];
  /** What came of it, as far as it was told. */
  isAway = false;
  readonly errors: string[] = [];
  /** Looks that have begun and not been answered yet. */
  readonly looks: (() => void)[] = [];
  readonly desk = new CommandInbox({
    clock: new DrivenClock(),
    log: { ...SILENT_LOG, error: ({ event }) => void this.errors.push(event) },
    lookMs: LOOK_MS,
    leases: {
      sendCommand: () => Promise.resolve(7),
      commandsFor: () => {
        const found = [...this.rows].filter(([, outcome]) => outcome === null).map(([id]) => ({
          id,
          instanceId: String(id),
          command: { type: "qr_requested" as const },
        }));
        return new Promise((resolve) => this.looks.push(() => resolve(found)));
      },
      settleCommand: (id, outcome) => {
        if (this.isAway) return Promise.reject(new StoreUnavailableError());
        if (this.rows.has(id)) this.rows.set(id, outcome);
        return Promise.resolve();
      },
      commandState: () => Promise.resolve({ kind: "open" as const }),
      dropCommand: () => Promise.resolve(),
    },
  });

  look(run: (instanceId: string) => Promise<CommandOutcome>): void {
    void this.desk.serve("self", (instanceId) => {
      this.run.push(instanceId);
      return run(instanceId);
    });
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

Deno.test("serve() runs each command once, whenever looks are answered and outcomes can be told", async () => {
  const step = fc.constantFrom("look", "answer", "finish", "away", "back", "send", "drop");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const table = new Table();
      const underWay: (() => void)[] = [];
      const run = () => new Promise<CommandOutcome>((resolve) => underWay.push(() => resolve(DONE)));
      let next = 1;
      const take = async (step: string) => {
        // One look at a time.
        if (step === "look" && table.looks.length === 0) table.look(run);
        else if (step === "look") return;
        else if (step === "answer") table.looks.shift()?.();
        else if (step === "finish") underWay.shift()?.();
        else if (step === "send") table.rows.set(next++, null);
        else if (step === "drop") table.rows.delete(next - 1);
        else table.isAway = step === "away";
        await turns();
      };
      for (const step of steps) await take(step);
      // In the end everything that is still there has been done and told.
      await take("back");
      for (let i = 0; i < 4; i++) {
        await take("look");
        while (table.looks.length > 0) await take("answer");
        while (underWay.length > 0) await take("finish");
      }
      assert.equal(new Set(table.run).size, table.run.length, `run: ${table.run}`);
      assert.ok([...table.rows.values()].every((outcome) => outcome === DONE));
      assert.deepEqual(table.errors, []);
    }),
    { numRuns: 300 },
  );
});

Deno.test("serve() tells the sender of a command that failed, and does not begin it again", async () => {
  const table = new Table();
  table.rows.set(1, null);
  for (let i = 0; i < 3; i++) {
    table.look(() => Promise.reject(new TypeError("a fault")));
    table.looks.shift()?.();
    await turns();
  }
  assert.deepEqual([table.run, table.errors, table.rows.get(1)], [["1"], ["command_failed"], {
    kind: "failed",
    code: "failed",
    retryAfterSeconds: null,
  }]);
});
