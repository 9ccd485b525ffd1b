import assert from "node:assert/strict";
import fc from "fast-check";
import { Fleet, type Member, names } from "./fleet.ts";

const SESSIONS = names(9);

/** What happens to one of the replicas. */
type Step =
  | { readonly kind: "joins" }
  | { readonly kind: "passes"; readonly ms: number }
  | {
    readonly kind: "dies" | "freezes" | "wakes" | "loses_database" | "finds_database" | "leaves";
    readonly member: number;
  };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: "joins" } as const) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(100, 500, 1_000, 4_000, 9_000, 13_000).map((ms) =>
      ({ kind: "passes", ms }) as const
    ),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("dies", "freezes", "wakes", "loses_database", "finds_database", "leaves"),
      member: fc.nat({ max: 3 }),
    }),
  },
);

/** A fleet to which anything happens. */
class World extends Fleet {
  /** Whoever runs, be it stopped or without its database. */
  get living(): Member[] {
    return this.members.filter(({ isDead }) => !isDead);
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "passes") return await this.passChecked(step.ms);
    if (step.kind === "joins") {
      if (this.living.length < 4) await this.join(SESSIONS);
      return;
    }
    const member = this.living[step.member];
    if (member === undefined) return;
    switch (step.kind) {
      case "dies":
        return member.die();
      case "freezes":
        member.isFrozen = true;
        return;
      case "wakes":
        member.isFrozen = false;
        return;
      case "loses_database":
        member.leases.mood = "away";
        return;
      case "finds_database":
        member.leases.mood = "well";
        return;
      case "leaves": {
        if (member.isFrozen) return;
        member.replica.stop();
        member.sessions.leases.clear();
        const left = member.replica.leave();
        await this.passChecked(5_000);
        await left;
        member.isDead = true;
        return;
      }
      default:
        step satisfies never;
    }
  }

  async passChecked(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.pass(100);
      const acting = this.living.flatMap((member) => member.acting);
      assert.equal(new Set(acting).size, acting.length, "two replicas act for one session");
    }
  }
}

Deno.test("whatever happens to replicas, no two act for one session, and in the end none has more than its share", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 25 }), async (steps) => {
      const world = new World();
      await world.join(SESSIONS);
      for (const step of steps) await world.take(step);
      for (const member of world.living) {
        member.isFrozen = false;
        member.leases.mood = "well";
      }
      if (world.living.length === 0) await world.join(SESSIONS);
      await world.passChecked(30_000);
      assert.deepEqual(world.living.flatMap(({ acting }) => acting).sort(), SESSIONS);
      const share = Math.ceil(SESSIONS.length / world.living.length);
      assert.ok(Math.max(...world.shares) <= share, `shares of ${world.shares}`);
      assert.equal(world.table.presences.size, world.living.length);
    }),
    { numRuns: 100 },
  );
});
