import assert from "node:assert/strict";
import type { SeenPresence } from "../../domain/leases.ts";
import { stopwatch } from "../../cluster/stopwatch.ts";
import { countAlive } from "../../tools/alive.ts";

/** Looks at what the presences are at that time, which passes only while it is waited for. */
async function watch(presencesAt: (ms: number) => { [replica: string]: SeenPresence | undefined }) {
  let now = 0;
  const told: number[] = [];
  const alive = await countAlive(
    () => Promise.resolve(new Map(Object.entries(presencesAt(now)) as [string, SeenPresence][])),
    {
      stopwatch: stopwatch(() => now, () => now),
      pause: (ms) => {
        now += ms;
        return Promise.resolve();
      },
      onWait: (presences) => void told.push(presences),
    },
  );
  return { alive, after: now, told };
}

Deno.test("countAlive() does not wait where nobody is listed", async () => {
  assert.deepEqual(await watch(() => ({})), { alive: 0, after: 0, told: [] });
});

Deno.test("countAlive() counts a presence that is renewed, whatever the database's clock says of it", async () => {
  for (const isOver of [false, true]) {
    const seen = await watch((ms) => ({ a: { mark: `renewed ${ms}`, isOver }, b: { mark: "old", isOver } }));
    assert.deepEqual(seen, { alive: 2, after: 1_000, told: [2] });
  }
});

Deno.test("countAlive() counts one that comes while it watches", async () => {
  const old: SeenPresence = { mark: "old", isOver: false };
  const seen = await watch((ms) => ms < 4_000 ? { a: old } : { a: old, b: { mark: "new", isOver: false } });
  assert.deepEqual(seen, { alive: 2, after: 4_000, told: [1] });
});

Deno.test("countAlive() waits for one that ended without a word: for the length of a presence, or less where it is over", async () => {
  assert.deepEqual(await watch(() => ({ a: { mark: "old", isOver: false } })), {
    alive: 0,
    after: 10_000,
    told: [1],
  });
  assert.deepEqual(await watch(() => ({ a: { mark: "old", isOver: true } })), {
    alive: 0,
    after: 3_000,
    told: [1],
  });
});

Deno.test("countAlive() waits no longer for one that leaves", async () => {
  const seen = await watch((ms) => ms < 2_000 ? { a: { mark: "old", isOver: false } } : {});
  assert.deepEqual(seen, { alive: 0, after: 2_000, told: [1] });
});
