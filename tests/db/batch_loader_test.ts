import assert from "node:assert/strict";
import fc from "fast-check";
import { BatchLoader } from "../../db/batch_loader.ts";

Deno.test("a read alone departs at once, and those that come meanwhile travel together, each name once", async () => {
  const departures: string[][] = [];
  const arrivals: PromiseWithResolvers<ReadonlyMap<string, string>>[] = [];
  const batchLoader = new BatchLoader<string>((names) => {
    departures.push([...names]);
    const arrival = Promise.withResolvers<ReadonlyMap<string, string>>();
    arrivals.push(arrival);
    return arrival.promise;
  }, { together: 3, patienceMs: 3_600_000, underWay: 4 });
  const first = batchLoader.find("a");
  assert.deepEqual(departures, [["a"]]);
  // The second "a" may have changed since the first departed: it is asked for again.
  const later = ["a", "b", "b", "c", "d"].map((name) => batchLoader.find(name));
  assert.equal(departures.length, 1);
  arrivals[0]!.resolve(new Map([["a", "old"]]));
  assert.equal(await first, "old");
  assert.deepEqual(departures, [["a"], ["a", "b", "c"]]);
  arrivals[1]!.resolve(new Map([["a", "new"], ["b", "B"]]));
  assert.deepEqual(await Promise.all(later.slice(0, 4)), ["new", "B", "B", null]);
  assert.deepEqual(departures.at(-1), ["d"]);
  arrivals[2]!.reject(new Error("lost"));
  await assert.rejects(later[4]!, /lost/);
});

Deno.test("everybody is answered with their own, in whatever order reads arrive or fail", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }),
    fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
    fc.scheduler(),
    async (wishes, failures, scheduler) => {
      let reads = 0;
      const batchLoader = new BatchLoader<number>(async (names) => {
        const failed = failures[reads++ % failures.length];
        await scheduler.schedule(Promise.resolve());
        if (failed) throw new Error("failed");
        return new Map(names.map((name) => [name, Number(name) * 7]));
      }, { together: 4, patienceMs: 0, underWay: 2 });
      const answers = Promise.allSettled(wishes.map((wish) => batchLoader.find(String(wish))));
      await scheduler.waitFor(answers);
      for (const [i, answer] of (await answers).entries()) {
        if (answer.status === "fulfilled") assert.equal(answer.value, wishes[i]! * 7);
        else assert.match(String(answer.reason), /failed/);
      }
      assert.ok(reads <= wishes.length);
    },
  ));
});

Deno.test("a read that is stuck holds the others up for a moment only, and so many at most are under way", async () => {
  const departures: string[][] = [];
  const arrivals = Array.from({ length: 4 }, () => Promise.withResolvers<ReadonlyMap<string, string>>());
  const departed = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const batchLoader = new BatchLoader<string>((names) => {
    const trip = departures.push([...names]) - 1;
    departed[trip]!.resolve();
    return arrivals[trip]!.promise;
  }, { together: 1, patienceMs: 1, underWay: 3 });
  const answers = ["a", "b", "c", "d"].map((name) => batchLoader.find(name));
  await departed[2]!.promise;
  assert.deepEqual(departures, [["a"], ["b"], ["c"]]);
  arrivals[1]!.resolve(new Map([["b", "B"]]));
  assert.equal(await answers[1], "B");
  await departed[3]!.promise;
  assert.deepEqual(departures[3], ["d"]);
  for (const i of [0, 2, 3]) arrivals[i]!.resolve(new Map());
  assert.deepEqual(await Promise.all(answers), [null, "B", null, null]);
});
