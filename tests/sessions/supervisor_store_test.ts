import assert from "node:assert/strict";
import { settled } from "./scripted_sockets.ts";
import { DROPPED, ONE, stateOf } from "./stage.ts";
import { Supervised } from "./supervised.ts";

Deno.test("submit() rejects as soon as the store is away, and what waits is carried out in order when it is back", async () => {
  const stage = new Supervised("new");
  stage.store.mood = "away";
  const connected = { type: "connected", phoneNumber: null, source: "internal" } as const;
  await assert.rejects(stage.supervisor.submit(connected), { name: "StoreUnavailableError" });
  assert.equal(stage.supervisor.isStalled, true);
  assert.equal(stage.shown, "init/none");
  // The next one is refused immediately, and is carried out nevertheless.
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" }), {
    name: "StoreUnavailableError",
  });
  await stage.passInSteps(20_000, 100);
  assert.equal(stage.shown, "init/none");
  stage.store.mood = "well";
  await stage.passInSteps(5_000, 100);
  assert.equal(stage.supervisor.isStalled, false);
  assert.deepEqual(stage.trace, [
    "written connected/none",
    "visible connected/none",
    "written disconnected/none",
    "visible disconnected/none",
  ]);
});

Deno.test("submit() rejects when the store takes its time, and the event is carried out all the same", async () => {
  const stage = new Supervised("new");
  stage.store.hold();
  const submitted = stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" });
  const refused = assert.rejects(submitted, { name: "StoreUnavailableError" });
  await stage.pass(2_499);
  assert.equal(stage.supervisor.isStalled, false);
  await stage.pass(1);
  await refused;
  assert.equal(stage.supervisor.isStalled, true);
  stage.store.resume();
  await settled();
  assert.equal(stage.supervisor.isStalled, false);
  assert.equal(stage.shown, "disconnected/none");
});

Deno.test("submit() does not ask a store again that says when it is back, before it is", async () => {
  const stage = new Supervised("new");
  const back = Promise.withResolvers<void>();
  stage.store.mood = "away";
  stage.store.recovery = back.promise;
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" }));
  await stage.passInSteps(60_000, 1_000);
  assert.equal(stage.store.attempts, 1);
  stage.store.mood = "well";
  back.resolve();
  await settled();
  assert.equal(stage.shown, "disconnected/none");
});

Deno.test("no effect is carried out while the write before it waits for the store", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  stage.store.mood = "away";
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }));
  assert.equal(socket.closed, null);
  stage.store.mood = "well";
  await stage.pass(5_000);
  assert.deepEqual(socket.closed, { unlink: false });
});

Deno.test("keys that wait for the store hold up no answer about the session", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.mood = "away";
  const saved = socket.listener.onRequest({
    type: "save_keys",
    keys: [{ type: "session", id: "7", value: "seven" }],
  });
  await settled();
  assert.equal(stage.supervisor.isStalled, false);
  stage.store.mood = "well";
  await stage.pass(5_000);
  await saved;
  const loaded = await socket.listener.onRequest({ type: "load_keys", keyType: "session", ids: ["7", "8"] });
  assert.deepEqual([...loaded], [["7", "seven"]]);
  assert.equal(stage.supervisor.isStalled, false);
});

Deno.test("a login that is read while the store is away is opened when it is back", async () => {
  const stage = new Supervised("linked");
  await stage.supervisor.resume();
  stage.store.mood = "away";
  await settled();
  assert.deepEqual(stage.sockets.opened, []);
  stage.store.mood = "well";
  await stage.pass(5_000);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("the lease is taken anew before a write is repeated, so that the first one cannot come later", async () => {
  const stage = new Supervised("new");
  const first = stage.supervisor.lease;
  stage.store.mood = "unanswered";
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" }));
  stage.store.mood = "well";
  await stage.pass(1_000);
  const [carriedOut, repeated] = stage.store.saves.map(({ lease }) => lease);
  assert.equal(carriedOut, first);
  assert.equal(repeated, stage.supervisor.lease);
  assert.ok(repeated!.epoch > carriedOut!.epoch);
  assert.equal(stage.ownership.isCurrent(first), false);
  assert.equal(stage.shown, "disconnected/none");
});

Deno.test("a write waits on while nobody can say whose the session is", async () => {
  const stage = new Supervised("new");
  stage.store.mood = "away";
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" }));
  stage.store.mood = "well";
  stage.ownership.isAway = true;
  await stage.passInSteps(20_000, 100);
  assert.equal(stage.supervisor.isStalled, true);
  assert.equal(stage.store.saves.length, 0);
  stage.ownership.isAway = false;
  await stage.passInSteps(5_000, 100);
  assert.equal(stage.shown, "disconnected/none");
});

for (const lost of ["fenced", "missing"] as const) {
  const name = lost === "fenced" ? "FencedError" : "SessionMissingError";
  Deno.test(`a ${lost} session is abandoned: sockets are closed, and nothing is written after it`, async () => {
    const stage = new Supervised("linked");
    const socket = await stage.logIn();
    const pairings = stage.sockets.opened.length;
    if (lost === "fenced") stage.ownership.assign(ONE, "another");
    else stage.store.rows.delete(ONE);
    const before = stage.store.rows.get(ONE);
    const { length } = stage.store.saves;
    const shown = stage.supervisor.snapshot;
    const { changed } = stage.supervisor;
    stage.store.hold();
    const submitted = [
      stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }),
      // Already in the mailbox when it turns out.
      stage.supervisor.submit({ type: "qr_requested" }),
    ];
    const refused = [
      assert.rejects(submitted[0]!, { name }),
      assert.rejects(submitted[1]!, { name: "FencedError" }),
    ];
    await settled();
    stage.store.resume();
    await Promise.all(refused);
    await changed; // whoever waits for a QR must not wait on
    assert.deepEqual(stage.told.filter((event) => event !== "idle"), [lost]);
    assert.equal(stage.supervisor.isAbandoned, true);
    assert.deepEqual(socket.closed, { unlink: false });
    assert.equal(stage.supervisor.snapshot, shown);
    stage.tell(socket, { type: "closed", cause: DROPPED });
    socket.goes();
    await stage.supervisor.stop();
    await stage.pass(600_000);
    assert.equal(stage.store.saves.length, length);
    assert.equal(stage.store.rows.get(ONE), before);
    assert.equal(stage.sockets.opened.length, pairings);
    assert.equal(stage.clock.pending, 0);
  });
}

Deno.test("a session that another replica took while the store was away is abandoned before the write is repeated", async () => {
  const stage = new Supervised("new");
  stage.store.mood = "away";
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "TIMEOUT" }));
  stage.ownership.assign(ONE, "another");
  stage.store.mood = "well";
  stage.store.isCurrent = () => true; // the store alone would not hold it back
  await stage.pass(5_000);
  assert.deepEqual(stage.told.filter((event) => event !== "idle"), ["fenced"]);
  assert.deepEqual(stage.store.saves, []);
});

Deno.test("keys that are written under a lost lease let go of the session", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.ownership.assign(ONE, "another");
  const saved = socket.listener.onRequest({
    type: "save_keys",
    keys: [{ type: "session", id: "7", value: "seven" }],
  });
  await assert.rejects(saved, { name: "FencedError" });
  assert.deepEqual(stage.told.filter((event) => event !== "idle"), ["fenced"]);
  assert.deepEqual(socket.closed, { unlink: false });
});

Deno.test("a write that no repetition mends breaks the session: nobody is told what is not so", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }), RangeError);
  assert.deepEqual(stage.told.filter((event) => event !== "idle"), ["broken"]);
  assert.equal(stage.supervisor.isStalled, true);
  assert.equal(stage.supervisor.isIdle, false);
  assert.deepEqual(socket.closed, { unlink: false });
  await assert.rejects(stage.supervisor.unlessStalled(Promise.resolve()), { name: "StoreUnavailableError" });
  await assert.rejects(stage.supervisor.submit({ type: "qr_requested" }), { name: "StoreUnavailableError" });
  // Not even what an earlier event would have had written.
  stage.store.refusal = null;
  const { length } = stage.store.saves;
  socket.goes();
  await stage.pass(600_000);
  assert.equal(stage.store.saves.length, length);
});

Deno.test("a pairing that cannot be written is refused, and the old login is not retired", async () => {
  const stage = new Supervised("linked");
  stage.store.put(stage.session, { link: "suspended", login: { credentials: "old", keys: new Map() } });
  const supervisor = stage.supervise(ONE);
  await supervisor.submit({ type: "disconnected", reason: "UNKNOWN" });
  await supervisor.submit({ type: "qr_requested" });
  const socket = stage.sockets.last("pair");
  await stage.show(socket);
  stage.store.refusal = new RangeError("no statement of ours");
  await assert.rejects(stage.scan(socket, "new"), RangeError);
  assert.deepEqual(stage.retirements.map(({ state }) => state), ["cancelled"]);
  assert.equal(stage.store.row(ONE).login?.credentials, "old");
});

Deno.test("abandon() writes nothing, refuses what waits in the mailbox, and is safe to call twice", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  const { length } = stage.store.saves;
  const waiting = assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }), {
    name: "FencedError",
  });
  stage.supervisor.abandon();
  stage.supervisor.abandon();
  await waiting;
  assert.equal(stage.store.saves.length, length);
  assert.deepEqual(socket.closed, { unlink: false });
  assert.equal(stage.told.includes("fenced"), false);
  assert.equal(await stateOf(stage.supervisor.alone), "pending");
  socket.goes();
  await stage.supervisor.alone;
});

Deno.test("what fails without anybody waiting for it is logged", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  stage.ownership.assign(ONE, "another");
  await stage.end(socket);
  assert.ok(stage.told.includes("fenced"));
  assert.equal(stage.events.includes("supervision_failed"), false); // known, and logged by the registry
  const other = new Supervised("linked");
  other.store.loadCredentials = () => Promise.reject(new TypeError("scripted"));
  await other.supervisor.resume();
  await settled();
  assert.equal(other.events.includes("supervision_failed"), true);
});
