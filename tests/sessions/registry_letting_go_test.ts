import assert from "node:assert/strict";
import { CredentialsUnreadableError } from "../../sessions/ports/store.ts";
import { Registered } from "./registered.ts";
import { settled } from "./scripted_sockets.ts";
import { ONE, stateOf } from "./stage.ts";

Deno.test("abandonAll() lets go of all without a write, and resolves once every connection is down", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2");
  const { length } = stage.store.saves;
  const abandoned = stage.registry.abandonAll();
  assert.equal(stage.registry.size, 0);
  assert.deepEqual(stage.sockets.opened.map(({ closed }) => closed), [{ unlink: false }, { unlink: false }]);
  stage.sockets.opened[0]!.goes();
  assert.equal(await stateOf(abandoned), "pending");
  stage.sockets.opened[1]!.goes();
  await abandoned;
  assert.equal(stage.store.saves.length, length);
  assert.deepEqual(stage.released, []); // the presence ends with all of them
});

Deno.test("abandonAll() lets go of the others when one of them fails", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2");
  stage.sockets.opened[0]!.onClose = () => {
    throw new TypeError("scripted");
  };
  const abandoned = stage.registry.abandonAll();
  assert.deepEqual(stage.sockets.opened[1]!.closed, { unlink: false });
  assert.ok(stage.events.includes("supervision_failed"));
  for (const socket of stage.sockets.opened) socket.goes();
  await abandoned;
});

Deno.test("a session that turns out to be another replica's is forgotten, and is not given back", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  stage.ownership.assign(ONE, "another");
  const supervisor = stage.registry.find(ONE)!;
  await assert.rejects(supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }), {
    name: "FencedError",
  });
  assert.equal(stage.registry.has(ONE), false);
  assert.ok(stage.events.includes("session_fenced"));
  stage.sockets.last("login").goes();
  await settled();
  assert.deepEqual(stage.released, []);
  assert.equal(stage.ownership.ownerOf(ONE), "another");
});

Deno.test("a session that was deleted is given back once its connection is down", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  stage.store.rows.delete(ONE);
  const supervisor = stage.registry.find(ONE)!;
  await assert.rejects(supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }), {
    name: "SessionMissingError",
  });
  assert.equal(stage.registry.has(ONE), false);
  assert.ok(stage.events.includes("session_missing"));
  await settled();
  assert.deepEqual(stage.released, []);
  stage.sockets.last("login").goes();
  await settled();
  assert.deepEqual(stage.released, [[ONE, true]]);
});

Deno.test("a session whose login another replica can open is left to that one", async () => {
  const stage = new Registered();
  stage.link();
  stage.store.unreadable = new CredentialsUnreadableError(ONE, null, "key of old");
  stage.ownership.keysOfOthers.add("key of old");
  await stage.registry.restore(ONE, stage.load());
  await settled();
  assert.equal(stage.registry.has(ONE), false);
  assert.deepEqual(stage.released, [[ONE, false]]);
  // As it would be at any stop, for the other one to bring back.
  assert.equal(stage.store.row(ONE).link, "working");
});

Deno.test("a broken session is begun anew with what the store holds, and is not told of until then", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  const broken = stage.registry.find(ONE)!;
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(broken.submit({ type: "disconnected", reason: "UNKNOWN" }), RangeError);
  stage.store.refusal = null;
  await stage.pass(60_000);
  assert.equal(stage.registry.find(ONE), broken); // its connection is not down
  assert.equal(stage.registry.stalled, 1);
  stage.sockets.last("login").goes();
  await settled();
  const anew = stage.registry.find(ONE);
  assert.notEqual(anew, broken);
  assert.equal(stage.registry.stalled, 0);
  assert.equal(stage.sockets.opened.length, 2);
});

Deno.test("a broken session rests before it is begun anew", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  const broken = stage.registry.find(ONE)!;
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(broken.submit({ type: "disconnected", reason: "UNKNOWN" }), RangeError);
  stage.sockets.last("login").goes();
  await stage.pass(4_999);
  assert.equal(stage.registry.find(ONE), broken);
  // And again, for as long as it cannot be written.
  for (let round = 0; round < 3; round++) {
    await stage.pass(5_000);
    assert.equal(stage.registry.stalled, 1);
    assert.equal(stage.sockets.opened.length, 1);
  }
  stage.store.refusal = null;
  await stage.pass(5_000);
  assert.equal(stage.registry.stalled, 0);
  assert.equal(stage.sockets.opened.length, 2);
});

Deno.test("a broken session that nobody can read is logged, and left to the next call for it", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  const broken = stage.registry.find(ONE)!;
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(broken.submit({ type: "disconnected", reason: "UNKNOWN" }), RangeError);
  stage.sockets.last("login").goes();
  stage.store.refusal = null;
  stage.store.mood = "away";
  await stage.pass(5_000);
  assert.ok(stage.events.includes("session_not_reloaded"));
  assert.equal(stage.registry.has(ONE), false);
  stage.store.mood = "well";
  assert.notEqual(await stage.local(), broken);
});

Deno.test("stop() settles every session, gives none back as resting, and rejects new calls", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2");
  await stage.registry.stop();
  assert.deepEqual([ONE, "sender_2"].map((id) => stage.store.row(id).session.status), [
    "disconnected",
    "disconnected",
  ]);
  assert.deepEqual(stage.released, []); // all at once, with the presence
  assert.equal(stage.registry.size, 0);
  await assert.rejects(stage.local(), { name: "StoreUnavailableError" });
  await assert.rejects(stage.local("sender_3"), { name: "StoreUnavailableError" });
  for (const socket of stage.sockets.opened) socket.goes();
  await settled();
  assert.deepEqual(stage.released, []);
});

Deno.test("stop() gives no session back as resting whose connection is down while others are still being settled", async () => {
  const stage = new Registered();
  await stage.logIn(ONE, "sender_2");
  const late = Promise.withResolvers<void>();
  const save = stage.store.save.bind(stage.store);
  stage.store.save = async (session, credentials, lease) => {
    if (session.instanceId === "sender_2") await late.promise;
    await save(session, credentials, lease);
  };
  const stopped = stage.registry.stop();
  await settled();
  stage.sockets.opened[0]!.goes();
  assert.equal(await stateOf(stopped), "pending");
  assert.equal(stage.store.row(ONE).session.status, "disconnected");
  assert.deepEqual(stage.released, []);
  late.resolve();
  await stopped;
});

Deno.test("stop() stops a session as well that is just being loaded", async () => {
  const stage = new Registered();
  stage.link();
  stage.store.hold();
  const broughtBack = stage.registry.restore(ONE, stage.load());
  await settled();
  const stopped = stage.registry.stop();
  stage.store.resume();
  await stopped;
  await broughtBack;
  await stage.pass(600_000);
  assert.deepEqual(stage.sockets.opened.filter(({ closed }) => closed === null), []);
});

Deno.test("stop() does not wait for a broken session to be begun anew", async () => {
  const stage = new Registered();
  await stage.logIn(ONE);
  const broken = stage.registry.find(ONE)!;
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(broken.submit({ type: "disconnected", reason: "UNKNOWN" }), RangeError);
  await stage.registry.stop();
  stage.store.refusal = null;
  stage.sockets.last("login").goes();
  await stage.pass(60_000);
  assert.equal(stage.sockets.opened.length, 1);
});
