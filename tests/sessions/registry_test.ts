import assert from "node:assert/strict";
import { ForeignRowError, StoreUnavailableError } from "../../sessions/ports/store.ts";
import type { Supervisor } from "../../sessions/supervisor.ts";
import { Registered } from "./registered.ts";
import { settled } from "./scripted_sockets.ts";
import { LOGGED_OUT, ONE, stateOf } from "./stage.ts";

Deno.test("using() has one supervisor for any number of callers, and loads the session once", async () => {
  const stage = new Registered();
  stage.create();
  const done = Promise.withResolvers<void>();
  const found: Supervisor[] = [];
  const calls = Array.from({ length: 5 }, () =>
    stage.using(async (holder) => {
      if (holder.kind === "local") found.push(holder.supervisor);
      await done.promise;
    }));
  await settled();
  assert.equal(found.length, 5);
  assert.equal(new Set(found).size, 1);
  assert.equal(stage.loads, 1);
  assert.equal(stage.registry.size, 1);
  assert.equal(stage.registry.find(ONE), found[0]);
  done.resolve();
  await Promise.all(calls);
});

Deno.test("using() says that a session is another replica's, and keeps nothing of it", async () => {
  const stage = new Registered();
  stage.create();
  stage.ownership.assign(ONE, "another");
  assert.deepEqual(await stage.using((holder) => holder), { kind: "remote", owner: "another" });
  assert.equal(stage.registry.has(ONE), false);
  assert.deepEqual(stage.released, []);
});

Deno.test("using() says that there is no such session, and takes nothing", async () => {
  const stage = new Registered();
  assert.deepEqual(await stage.using((holder) => holder), { kind: "missing" });
  assert.equal(stage.registry.size, 0);
  assert.equal(stage.ownership.ownerOf(ONE), null);
});

Deno.test("using() tells every caller when nobody can say whose a session is, and asks again the next time", async () => {
  const stage = new Registered();
  stage.create();
  stage.ownership.isAway = true;
  const calls = [stage.local(), stage.local()];
  for (const call of calls) await assert.rejects(call, { name: "StoreUnavailableError" });
  assert.equal(stage.registry.size, 0);
  stage.ownership.isAway = false;
  await stage.local();
});

Deno.test("using() gives a session back that cannot be read after it was taken", async () => {
  const stage = new Registered();
  stage.create();
  stage.ownership.beforeTake = () => {
    stage.store.mood = "away";
    return Promise.resolve();
  };
  await assert.rejects(stage.local(), { name: "StoreUnavailableError" });
  assert.deepEqual(stage.released, [[ONE, false]]);
  assert.equal(stage.registry.size, 0);
});

Deno.test("using() reads a session after it was taken: another replica may have written up to that moment", async () => {
  const stage = new Registered();
  stage.create();
  stage.ownership.beforeTake = () => {
    stage.link();
    return Promise.resolve();
  };
  assert.equal((await stage.local()).snapshot.session.status, "connected");
});

Deno.test("using() writes what a foreign row is taken for before anybody acts for it", async () => {
  const stage = new Registered();
  const session = stage.create();
  stage.store.put(session, { foreign: new ForeignRowError(ONE, "status") });
  await stage.local();
  assert.deepEqual(
    stage.store.saves.map(({ session, credentials, lease }) => [
      session.status,
      credentials.kind,
      lease?.replica,
    ]),
    [["init", "keep", "me"]],
  );
  assert.equal(stage.store.row(ONE).foreign, undefined);
  assert.ok(stage.events.includes("foreign_row_replaced"));
});

Deno.test("using() throws when the session has just been lost with this replica's presence", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  stage.ownership.isPresent = false;
  assert.equal(stage.registry.find(ONE), null);
  await assert.rejects(stage.local(), { name: "FencedError" });
});

Deno.test("a session is given back as soon as nothing is going on and nobody uses it", async () => {
  const stage = new Registered();
  stage.create();
  const done = Promise.withResolvers<void>();
  const first = stage.using(() => done.promise);
  await stage.local();
  await settled();
  assert.deepEqual(stage.released, []); // somebody still uses it
  done.resolve();
  await first;
  assert.deepEqual(stage.released, [[ONE, true]]);
  assert.equal(stage.registry.has(ONE), false);
  assert.equal(stage.ownership.ownerOf(ONE), null);
});

Deno.test("a session with a login is kept while that is on its way or connected, and given back when it is gone", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  await stage.pass(600_000);
  assert.equal(stage.registry.has(ONE), true);
  await stage.end(stage.sockets.last("login"), LOGGED_OUT, false);
  assert.equal(stage.registry.has(ONE), true); // its connection is not down
  stage.sockets.last("login").goes();
  await settled();
  assert.equal(stage.registry.has(ONE), false);
  assert.deepEqual(stage.released, [[ONE, true]]);
});

Deno.test("restore() brings a login back, and leaves alone what another replica has or nobody", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  assert.equal(stage.store.row(ONE).session.status, "connected");
  stage.link("sender_2");
  stage.ownership.assign("sender_2", "another");
  await stage.registry.restore("sender_2", stage.load("sender_2"));
  await stage.registry.restore("sender_3", stage.load("sender_3"));
  assert.equal(stage.sockets.opened.length, 1);
  assert.equal(stage.registry.size, 1);
});

Deno.test("restore() ends while nothing can be written; the login is back when the store is", async () => {
  const stage = new Registered();
  stage.link();
  stage.store.refusal = new StoreUnavailableError();
  await stage.registry.restore(ONE, stage.load());
  assert.equal(stage.registry.stalled, 1);
  stage.store.refusal = null;
  await stage.pass(5_000);
  assert.equal(stage.registry.stalled, 0);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("rebalance() gives up so many sessions, once their connections are down", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2", "sender_3");
  const handedOver = stage.registry.rebalance(2);
  assert.equal(await stateOf(handedOver), "pending");
  const [first, second, third] = stage.sockets.opened;
  assert.deepEqual([first!.closed, second!.closed, third!.closed], [
    { unlink: false },
    { unlink: false },
    null,
  ]);
  // Nobody is told of it as this replica's any more, and nobody else can take it yet.
  assert.equal(stage.registry.find(ONE), null);
  assert.equal(stage.ownership.ownerOf(ONE), "me");
  assert.deepEqual(stage.released, []);
  first!.goes();
  second!.goes();
  assert.equal(await handedOver, 2);
  assert.deepEqual(stage.released, [[ONE, false], ["sender_2", false]]);
  assert.equal(stage.registry.size, 1);
});

Deno.test("using() waits for a session that is being handed over, and finds who has it then", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  const handedOver = stage.registry.rebalance(1);
  await settled();
  const asked = stage.using((holder) => holder);
  assert.equal(await stateOf(asked), "pending");
  stage.ownership.release = (lease) => {
    stage.ownership.assign(lease!.instanceId, "another");
    return Promise.resolve();
  };
  stage.sockets.last("login").goes();
  await handedOver;
  assert.deepEqual(await asked, { kind: "remote", owner: "another" });
});

Deno.test("rebalance() leaves a session that somebody uses, that pairs, or that is being handed over", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2", "sender_3");
  stage.create("sender_4");
  const done = Promise.withResolvers<void>();
  const used = stage.using(() => done.promise, ONE);
  // A QR beside a login that is on its way back.
  await stage.end(stage.sockets.opened[1]!);
  for (const instanceId of ["sender_2", "sender_4"]) {
    await stage.using(async (holder) => {
      if (holder.kind === "local") await holder.supervisor.submit({ type: "qr_requested" });
    }, instanceId);
  }
  const first = stage.registry.rebalance(9);
  assert.equal(await stage.registry.rebalance(9), 0);
  await settled();
  stage.sockets.opened[2]!.goes();
  assert.equal(await first, 1);
  assert.deepEqual(stage.released, [["sender_3", false]]);
  done.resolve();
  await used;
});
