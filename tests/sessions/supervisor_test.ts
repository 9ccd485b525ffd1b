import assert from "node:assert/strict";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { settled } from "./scripted_sockets.ts";
import { LOGIN, ONE, stateOf } from "./stage.ts";
import { Supervised } from "./supervised.ts";

Deno.test("submit() makes a change visible once it is written, and acts on it after that", async () => {
  const stage = new Supervised("linked");
  stage.store.hold();
  const { changed } = stage.supervisor;
  const submitted = stage.supervisor.submit({ type: "restored" });
  assert.equal(await stateOf(submitted), "pending");
  assert.equal(await stateOf(changed), "pending");
  assert.equal(stage.shown, "connected/none");
  assert.deepEqual(stage.sockets.opened, []);
  stage.store.resume();
  await submitted;
  await changed;
  await settled();
  assert.deepEqual(stage.trace, [
    "written connecting/none",
    "visible connecting/none",
    "visible connecting/none", // its turn has come
    "opened to login",
  ]);
  assert.deepEqual(stage.sockets.last("login").purpose, { kind: "login", credentials: LOGIN });
});

Deno.test("submit() takes one event at a time, in the order in which they came", async () => {
  const stage = new Supervised("new");
  stage.store.hold();
  const submitted = [
    stage.supervisor.submit({ type: "connected", phoneNumber: "+5491155550009", source: "internal" }),
    stage.supervisor.submit({ type: "disconnected", reason: "NETWORK" }),
    stage.supervisor.submit({ type: "connected", phoneNumber: null, source: "internal" }),
  ];
  await settled();
  assert.equal(stage.store.attempts, 1);
  stage.store.resume();
  await Promise.all(submitted);
  assert.deepEqual(stage.store.saves.map(({ session }) => session.status), [
    "connected",
    "disconnected",
    "connected",
  ]);
  assert.equal(stage.session.phoneNumber, "+5491155550009");
});

Deno.test("submit() writes nothing and tells nobody when an event changes nothing", async () => {
  const stage = new Supervised("new");
  const { changed } = stage.supervisor;
  await stage.supervisor.submit({ type: "admitted" });
  await stage.supervisor.submit({ type: "tick" });
  assert.equal(stage.store.attempts, 0);
  assert.deepEqual(stage.trace, []);
  assert.equal(await stateOf(changed), "pending");
});

Deno.test("a pairing's login and its session are written in one save, and WhatsApp is answered after it", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  const before = stage.store.saves.length;
  stage.store.hold();
  const scanned = socket.listener.onRequest({
    type: "paired",
    credentials: "new login",
    keys: [{ type: "pre-key", id: "1", value: "one" }],
  });
  assert.equal(await stateOf(scanned), "pending");
  stage.store.resume();
  assert.equal((await scanned).size, 0);
  const saves = stage.store.saves.slice(before);
  assert.deepEqual(saves.map(({ session, credentials }) => [session.status, credentials.kind]), [
    ["connecting", "adopt"],
  ]);
  assert.deepEqual(stage.store.row(ONE).login, {
    credentials: "new login",
    keys: new Map([["pre-key/1", "one"]]),
  });
  assert.equal(stage.supervisor.snapshot.link, "working");
});

Deno.test("a QR expires at its time, and its socket is closed when it brings no other", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  assert.equal(stage.shown, "qr_required/generated");
  await stage.pass(59_999);
  assert.equal(stage.shown, "qr_required/generated");
  await stage.pass(1);
  assert.equal(stage.shown, "qr_required/expired");
  assert.equal(socket.closed, null);
  await stage.pass(5_000);
  assert.deepEqual(socket.closed, { unlink: false });
  assert.equal(stage.supervisor.snapshot.pairing.kind, "none");
});

Deno.test("isIdle is false while a connection is not down, and onIdle follows once it is", async () => {
  const stage = new Supervised("new");
  assert.equal(stage.supervisor.isIdle, true);
  const socket = await stage.showQr();
  await stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" });
  assert.equal(stage.supervisor.isIdle, false);
  assert.deepEqual(stage.told, []);
  assert.equal(await stateOf(stage.supervisor.alone), "pending");
  socket.goes();
  await stage.supervisor.alone;
  await settled();
  assert.equal(stage.supervisor.isIdle, true);
  assert.deepEqual(stage.told, ["idle"]);
  assert.equal(stage.clock.pending, 0);
});

Deno.test("heardAt is that of the login's socket, otherwise that of the pairing's", async () => {
  const stage = new Supervised("linked");
  assert.equal(stage.supervisor.heardAt, null);
  const login = await stage.logIn();
  login.heardAt = 7;
  assert.equal(stage.supervisor.heardAt, 7);
  await stage.end(login);
  assert.equal(stage.supervisor.heardAt, null);
  const pairing = await stage.showQr();
  pairing.heardAt = 9;
  assert.equal(stage.supervisor.heardAt, 9);
});

Deno.test("resume() tells that it is under way until it is durable", async () => {
  const stage = new Supervised("linked");
  stage.store.hold();
  const resumed = stage.supervisor.resume();
  assert.equal(stage.supervisor.isResuming, true);
  stage.store.resume();
  await resumed;
  assert.equal(stage.supervisor.isResuming, false);
});

Deno.test("stop() settles the row, closes the sockets without unlinking and leaves no timer", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  assert.equal(stage.store.row(ONE).session.status, "connected");
  const { changed } = stage.supervisor;
  await stage.supervisor.stop();
  await changed;
  const { session, link, login } = stage.store.row(ONE);
  assert.deepEqual([session.status, session.lastError?.code, link, login?.credentials], [
    "disconnected",
    "NETWORK",
    "working",
    LOGIN,
  ]);
  assert.deepEqual(socket.closed, { unlink: false });
  assert.equal(stage.clock.pending, 0);
  // Nothing happens to it in this process afterwards.
  const { length } = stage.store.saves;
  await stage.supervisor.submit({ type: "qr_requested" });
  stage.tell(socket, { type: "closed", cause: { origin: "worker" } });
  socket.goes();
  await stage.pass(600_000);
  assert.equal(stage.store.saves.length, length);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("stop() ends while the store is away, and writes nothing when it is back", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.mood = "away";
  await stage.supervisor.stop();
  assert.deepEqual(socket.closed, { unlink: false });
  assert.equal(stage.clock.pending, 0);
  stage.store.mood = "well";
  const { length } = stage.store.saves;
  await stage.pass(600_000);
  assert.equal(stage.store.saves.length, length);
});

Deno.test("stop() gives its turn to the next session", async () => {
  const stage = new Supervised("linked", { concurrent: 1 });
  stage.link("sender_2", "another login");
  const second = stage.supervise("sender_2");
  await stage.supervisor.resume();
  await second.resume();
  await settled();
  assert.equal(stage.sockets.opened.length, 1);
  assert.equal(stage.admission.waiting, 1);
  await stage.supervisor.stop();
  await settled();
  assert.deepEqual(stage.sockets.opened[1]?.purpose, { kind: "login", credentials: "another login" });
});

Deno.test("a session keeps its turn until it is logged in, and gives it up then", async () => {
  const stage = new Supervised("linked", { concurrent: 1 });
  stage.link("sender_2", "another login");
  await stage.supervisor.resume();
  await stage.supervise("sender_2").resume();
  await settled();
  assert.equal(stage.sockets.opened.length, 1);
  await stage.letIn(stage.sockets.last("login"));
  assert.equal(stage.sockets.opened.length, 2);
});

Deno.test("a pairing's slot is free once the connection of its socket is down", async () => {
  const stage = new Supervised("new");
  const slots = new PairingSlots(1);
  await stage.supervisor.submit({ type: "qr_requested" }, slots.take()!);
  const socket = stage.sockets.last("pair");
  await stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" });
  assert.equal(slots.taken, 1);
  socket.goes();
  await settled();
  assert.equal(slots.taken, 0);
});

Deno.test("submit() frees the slot when no pairing comes of the event", async (t) => {
  const slots = new PairingSlots(1);
  const request = { type: "qr_requested" } as const;
  await t.step("because the login is connected", async () => {
    const stage = new Supervised("linked");
    await stage.logIn();
    await stage.supervisor.submit(request, slots.take()!);
    assert.equal(slots.taken, 0);
  });
  await t.step("because a pairing is open already", async () => {
    const stage = new Supervised("new");
    await stage.supervisor.submit(request);
    await stage.supervisor.submit(request, slots.take()!);
    assert.equal(slots.taken, 0);
  });
  await t.step("because it has stopped", async () => {
    const stage = new Supervised("new");
    await stage.supervisor.stop();
    await stage.supervisor.submit(request, slots.take()!);
    assert.equal(slots.taken, 0);
  });
  await t.step("because the session is another replica's", async () => {
    const stage = new Supervised("new");
    stage.supervisor.abandon();
    await assert.rejects(stage.supervisor.submit(request, slots.take()!), { name: "FencedError" });
    assert.equal(slots.taken, 0);
  });
  await t.step("because the presence of this replica has run out", async () => {
    const stage = new Supervised("new");
    stage.ownership.isPresent = false;
    await assert.rejects(stage.supervisor.submit(request, slots.take()!), { name: "FencedError" });
    assert.equal(slots.taken, 0);
    assert.deepEqual(stage.sockets.opened, []);
  });
});
