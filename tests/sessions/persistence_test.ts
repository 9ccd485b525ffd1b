import assert from "node:assert/strict";
import { FencedError } from "../../sessions/ports/store.ts";
import { CredentialsUnreadableError, StoreUnavailableError } from "../../sessions/ports/store.ts";
import { Persistence, type PersistenceOptions } from "../../sessions/persistence.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

class Stage {
  readonly clock = new DrivenClock();
  readonly logged: string[] = [];
  readonly ending = new AbortController();
  readonly persistence: Persistence;

  constructor(options: PersistenceOptions = {}) {
    const note = ({ event }: { event: string }) => void this.logged.push(event);
    const log = { debug: note, info: note, warn: note, error: note };
    this.persistence = new Persistence("one", this.clock, log, this.ending.signal, options);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      this.clock.advance(100);
    }
  }
}

Deno.test("retryUntilStored() repeats what the store refuses for now until it succeeds", async () => {
  const stage = new Stage();
  let attempts = 0;
  const work = stage.persistence.retryUntilStored(() =>
    ++attempts < 5 ? Promise.reject(new StoreUnavailableError()) : Promise.resolve("done")
  );
  await stage.pass(1_000);
  assert.equal(stage.persistence.isStalled, true);
  await stage.pass(10_000);
  assert.equal(await work, "done");
  assert.equal(stage.persistence.isStalled, false);
  assert.deepEqual(stage.logged, ["store_unavailable", "store_available"]);
});

for (const error of [new RangeError("Only a well-formed id can be stored."), new TypeError("undefined")]) {
  Deno.test(`retryUntilStored() fails with a ${error.name}, which the work would throw again for ever`, async () => {
    const stage = new Stage();
    let attempts = 0;
    await assert.rejects(
      stage.persistence.retryUntilStored(() => {
        attempts++;
        return Promise.reject(error);
      }),
      error,
    );
    assert.equal(attempts, 1);
    assert.deepEqual(stage.logged, ["store_refused"]);
    assert.equal(stage.persistence.isStalled, false);
    assert.equal(await stage.persistence.retryUntilStored(() => Promise.resolve("next")), "next");
  });
}

Deno.test("retryUntilStored() waits for nothing any more once the store has answered with a failure", async () => {
  const stage = new Stage();
  const answers = [new StoreUnavailableError(), new RangeError("no")];
  const work = stage.persistence.retryUntilStored(() => Promise.reject(answers.shift()));
  work.catch(() => {});
  await stage.pass(1_000);
  await assert.rejects(work, RangeError);
  assert.equal(stage.persistence.isStalled, false);
  assert.equal(stage.clock.pending, 0);
});

Deno.test("retryUntilStored() throws what says whose the session is, or that its login is unreadable, without a word", async () => {
  for (const error of [new FencedError("one"), new CredentialsUnreadableError("one")]) {
    const stage = new Stage();
    await assert.rejects(stage.persistence.retryUntilStored(() => Promise.reject(error)), error);
    assert.deepEqual(stage.logged, []);
  }
});

Deno.test("unlessStalled() gives what the work comes to while the store answers", async () => {
  const { persistence } = new Stage();
  assert.equal(await persistence.unlessStalled(Promise.resolve("done")), "done");
  await assert.rejects(persistence.unlessStalled(Promise.reject(new RangeError())), RangeError);
});

Deno.test("unlessStalled() gives up with the store's error when something has to wait, now or already", async () => {
  const stage = new Stage();
  const refusal = new StoreUnavailableError();
  let refuses = true;
  const waiting = stage.persistence.unlessStalled(new Promise(() => {}));
  const work = stage.persistence.retryUntilStored(() =>
    refuses ? Promise.reject(refusal) : Promise.resolve("done")
  );
  await assert.rejects(waiting, refusal);
  await assert.rejects(stage.persistence.unlessStalled(Promise.resolve("late")), refusal);
  refuses = false;
  await stage.pass(10_000);
  assert.equal(await work, "done");
  assert.equal(await stage.persistence.unlessStalled(Promise.resolve("again")), "again");
});

Deno.test("retryUntilStored() leaves a store alone that tells when it is back, and goes on as soon as it is", async () => {
  const stage = new Stage();
  const recovery = Promise.withResolvers<void>();
  let attempts = 0;
  const work = stage.persistence.retryUntilStored(() =>
    ++attempts === 1
      ? Promise.reject(new StoreUnavailableError(undefined, recovery.promise))
      : Promise.resolve("done")
  );
  await stage.pass(60_000);
  assert.equal(attempts, 1);
  assert.equal(stage.clock.pending, 0, "no timer is left meanwhile");
  recovery.resolve();
  assert.equal(await work, "done");
  assert.equal(stage.persistence.isStalled, false);
});

Deno.test("retryUntilStored() ends its wait for a store that is to tell when it is back, when the signal aborts", async () => {
  const stage = new Stage();
  const work = stage.persistence.retryUntilStored(() =>
    Promise.reject(new StoreUnavailableError(undefined, new Promise(() => {})))
  );
  await stage.pass(1_000);
  stage.ending.abort();
  await assert.rejects(work, StoreUnavailableError);
});

Deno.test("callers are told within 3 s when the store takes its time, and the work goes on once", async () => {
  const stage = new Stage();
  const answer = Promise.withResolvers<string>();
  let attempts = 0;
  const work = stage.persistence.retryUntilStored(() => {
    attempts++;
    return answer.promise;
  });
  const called = stage.persistence.unlessStalled(work);
  called.catch(() => {});
  await stage.pass(2_400);
  assert.equal(stage.persistence.isStalled, false);
  await stage.pass(500);
  assert.equal(stage.persistence.isStalled, true);
  await assert.rejects(called, StoreUnavailableError);
  answer.resolve("done");
  assert.equal(await work, "done");
  assert.equal(attempts, 1);
  assert.equal(stage.persistence.isStalled, false);
  assert.equal(stage.clock.pending, 0);
});

Deno.test("retryUntilStored() sees to what it may have sent before each time that it sends it again", async () => {
  const done: string[] = [];
  const stage = new Stage({
    beforeRetry: () => {
      done.push("fence");
      return done.length === 2 ? Promise.reject(new StoreUnavailableError()) : Promise.resolve();
    },
  });
  const work = stage.persistence.retryUntilStored(() => {
    done.push("work");
    return done.length < 6 ? Promise.reject(new StoreUnavailableError()) : Promise.resolve();
  });
  await stage.pass(10_000);
  await work;
  assert.deepEqual(done, ["work", "fence", "fence", "work", "fence", "work"]);
});
