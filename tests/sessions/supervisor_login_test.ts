import assert from "node:assert/strict";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { CredentialsUnreadableError } from "../../sessions/ports/store.ts";
import { settled } from "./scripted_sockets.ts";
import { DROPPED, LOGGED_OUT, LOGIN, ONE, RESTART } from "./stage.ts";
import { Supervised } from "./supervised.ts";

const KEY = "key of old";

Deno.test("a login waits until the last connection of the same login is down", async () => {
  const stage = new Supervised("linked");
  const first = await stage.logIn();
  await stage.end(first, DROPPED, false);
  assert.equal(stage.shown, "disconnected/none");
  await stage.pass(60_000);
  assert.equal(stage.supervisor.snapshot.login.kind, "queued");
  assert.equal(stage.sockets.opened.length, 1);
  assert.equal(stage.admission.waiting, 0); // nor does it keep a turn from the others
  first.goes();
  await settled();
  assert.equal(stage.sockets.opened.length, 2);
});

Deno.test("a restart that WhatsApp asks for waits for the old connection as well, but for no turn", async () => {
  const stage = new Supervised("linked", { concurrent: 1 });
  const first = await stage.logIn();
  const turn = stage.admission.ask(() => {}); // somebody else has it
  await settled();
  await stage.end(first, RESTART, false);
  assert.equal(stage.supervisor.snapshot.login.kind, "login");
  assert.equal(stage.sockets.opened.length, 1);
  first.goes();
  await settled();
  assert.equal(stage.sockets.opened.length, 2);
  turn.giveUp();
});

Deno.test("the login of a pairing waits until the connection that paired it is down", async () => {
  const stage = new Supervised("new");
  const pairing = await stage.showQr();
  await stage.scan(pairing, "new login");
  await stage.end(pairing, RESTART, false);
  assert.equal(stage.sockets.opened.length, 1);
  pairing.goes();
  await settled();
  assert.deepEqual(stage.sockets.opened[1]?.purpose, { kind: "login", credentials: "new login" });
});

Deno.test("a new login does not wait for the connection of the one that it replaces", async () => {
  const stage = new Supervised("linked");
  const old = await stage.logIn();
  await stage.end(old, DROPPED, false);
  const pairing = await stage.showQr();
  await stage.scan(pairing, "new login");
  await stage.end(pairing, RESTART);
  const login = stage.sockets.last("login");
  assert.deepEqual(login.purpose, { kind: "login", credentials: "new login" });
  assert.equal(old.isDown, false);
  // Held until the new one has proved itself, and retired then; not before its own connection is down.
  assert.equal(stage.retirements.length, 0);
  await stage.letIn(login);
  assert.deepEqual(stage.retirements.map(({ state, closed }) => [state, closed]), [["retired", null]]);
  old.goes(true);
  await settled();
  assert.deepEqual(stage.retirements[0]?.closed, { unlinked: true });
});

Deno.test("an old login that is taken up again waits until its own last connection is down", async () => {
  const stage = new Supervised("linked");
  const old = await stage.logIn();
  await stage.end(old, DROPPED, false);
  const pairing = await stage.showQr();
  await stage.scan(pairing, "new login");
  await stage.end(pairing, LOGGED_OUT);
  assert.equal(stage.supervisor.snapshot.login.kind, "queued");
  assert.equal(stage.store.row(ONE).login?.credentials, LOGIN);
  assert.equal(stage.sockets.opened.length, 2);
  old.goes();
  await settled();
  assert.deepEqual(stage.sockets.opened[2]?.purpose, { kind: "login", credentials: LOGIN });
});

Deno.test("an attempt that the session has moved on from is not made", async () => {
  const stage = new Supervised("linked");
  const first = await stage.logIn();
  await stage.end(first, DROPPED, false);
  await stage.pass(60_000);
  await stage.supervisor.submit({ type: "disconnected", reason: "LOGOUT" });
  first.goes();
  await stage.pass(600_000);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("stop() opens no login whose credentials the store gives out only afterwards", async () => {
  const stage = new Supervised("linked");
  await stage.supervisor.resume();
  stage.store.mood = "away";
  await settled();
  const stopped = stage.supervisor.stop();
  stage.store.mood = "well";
  await stopped;
  assert.deepEqual(stage.sockets.opened, []);
  assert.equal(stage.clock.pending, 0);
});

Deno.test("abandon() opens no login whose credentials are just being read", async () => {
  const stage = new Supervised("linked");
  await stage.supervisor.resume();
  stage.store.hold();
  await settled();
  stage.supervisor.abandon();
  stage.store.resume();
  await settled();
  assert.deepEqual(stage.sockets.opened, []);
});

Deno.test("abandon() opens no pairing, and arms no timer, after a write that was under way", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  await stage.pass(60_000);
  await stage.end(socket);
  const now = stage.clock.now();
  const qr = { status: "generated", string: "QR", generatedAt: now - 2, expiresAt: now - 1 } as const;
  stage.store.put({ ...stage.session, status: "qr_required", lastError: null, qr });
  const supervisor = stage.supervise(ONE);
  stage.store.hold();
  const slots = new PairingSlots(1);
  const submitted = supervisor.submit({ type: "qr_requested" }, slots.take()!);
  await settled();
  supervisor.abandon();
  stage.store.resume();
  await submitted;
  assert.equal(stage.sockets.opened.length, 1);
  assert.equal(slots.taken, 0);
  await stage.supervisor.stop();
  assert.equal(stage.clock.pending, 0);
});

Deno.test("an attempt that ran out while it waited for a connection is not made once that is down", async () => {
  const stage = new Supervised("linked", { concurrent: 1 });
  const first = await stage.logIn();
  stage.admission.ask(() => {}); // somebody else has the turn
  await stage.end(first, RESTART, false);
  await stage.pass(60_000);
  assert.equal(stage.session.lastError?.code, "TIMEOUT");
  await stage.pass(10_000);
  assert.equal(stage.supervisor.snapshot.login.kind, "queued");
  first.goes();
  await settled();
  assert.equal(stage.admission.waiting, 1);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("the events of an older pairing say nothing of the one after it", async () => {
  const stage = new Supervised("new");
  const older = await stage.showQr();
  await stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" });
  await stage.supervisor.submit({ type: "qr_requested" });
  await stage.show(older, 1, "data:image/png;base64,older");
  assert.equal(stage.shown, "disconnected/expired");
  await stage.show(stage.sockets.last("pair"));
  await stage.end(older, { origin: "whatsapp", code: 403 });
  assert.equal(stage.shown, "qr_required/generated");
  assert.equal(stage.supervisor.snapshot.pairing.kind, "showing");
});

Deno.test("the events of a socket that was closed change nothing, and its requests are rejected", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  await stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" });
  const before = stage.supervisor.snapshot;
  const { length } = stage.store.saves;
  await stage.show(socket, 1);
  stage.tell(socket, { type: "passkey_demanded" });
  await stage.end(socket);
  await assert.rejects(stage.scan(socket, "late login"), /replaced/);
  await assert.rejects(
    socket.listener.onRequest({ type: "load_keys", keyType: "session", ids: ["1"] }),
    /replaced/,
  );
  await assert.rejects(socket.listener.onRequest({ type: "save_keys", keys: [] }), /replaced/);
  assert.equal(stage.supervisor.snapshot, before);
  assert.equal(stage.store.saves.length, length);
  assert.equal(stage.store.row(ONE).login, null);
});

Deno.test("a socket is stale for what waits behind the event that replaces it", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.hold();
  const loggedOut = stage.supervisor.submit({ type: "disconnected", reason: "LOGOUT" });
  stage.tell(socket, { type: "closed", cause: DROPPED });
  const saved = assert.rejects(socket.listener.onRequest({ type: "save_keys", keys: [] }), /replaced/);
  stage.store.resume();
  await loggedOut;
  await saved;
  assert.deepEqual(socket.closed, { unlink: true });
  assert.equal(stage.session.lastError?.code, "LOGOUT");
  assert.equal(stage.supervisor.snapshot.login.kind, "idle");
  assert.deepEqual(stage.store.keyWrites, []);
});

Deno.test("a second scan of one pairing is refused", async () => {
  const stage = new Supervised("new");
  const socket = await stage.showQr();
  await stage.scan(socket, "new login");
  await assert.rejects(stage.scan(socket, "another login"), /over/);
  assert.equal(stage.store.row(ONE).login?.credentials, "new login");
});

Deno.test("keys are written under the lease of the moment", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  await socket.listener.onRequest({ type: "save_keys", keys: [{ type: "session", id: "1", value: "one" }] });
  stage.store.mood = "unanswered";
  const submitted = assert.rejects(stage.supervisor.submit({ type: "disconnected", reason: "UNKNOWN" }));
  await submitted;
  stage.store.mood = "well";
  await stage.pass(5_000);
  assert.deepEqual(stage.store.keyWrites.map((lease) => lease?.epoch), [1]);
  assert.ok((stage.supervisor.lease?.epoch ?? 0) > 1);
});

Deno.test("a login that was given up is released, so that another session may use it", async () => {
  const stage = new Supervised("linked");
  await stage.logIn();
  assert.deepEqual(stage.logins.use("sender_2", "5491155550001:1@s.whatsapp.net"), [ONE]);
  await stage.supervisor.submit({ type: "disconnected", reason: "LOGOUT" });
  assert.equal(stage.logins.rivalOf("sender_2"), null);
});

Deno.test("an unreadable login is left to a replica that has its key, with nothing written", async () => {
  const stage = new Supervised("linked");
  stage.store.unreadable = new CredentialsUnreadableError(ONE, null, KEY);
  stage.ownership.keysOfOthers.add(KEY);
  await stage.supervisor.resume();
  const { length } = stage.store.saves;
  await settled();
  assert.deepEqual(stage.told.filter((event) => event !== "idle"), ["unopened"]);
  assert.equal(stage.store.saves.length, length);
  assert.equal(stage.session.status, "connecting");
  assert.deepEqual(stage.sockets.opened, []);
  assert.ok(stage.events.includes("session_left_to_others"));
});

const NOBODY = [
  { why: "no other replica has its key", keyId: KEY, others: "another key" },
  { why: "it is damaged", keyId: null, others: KEY },
];
for (const { why, keyId, others } of NOBODY) {
  Deno.test(`an unreadable login is an error when ${why}`, async () => {
    const stage = new Supervised("linked");
    stage.store.unreadable = new CredentialsUnreadableError(ONE, null, keyId);
    stage.ownership.keysOfOthers.add(others);
    await stage.supervisor.resume();
    await settled();
    assert.equal(stage.session.lastError?.code, "CREDENTIALS_UNREADABLE");
    assert.equal(stage.store.row(ONE).session.status, "error");
    assert.equal(stage.told.includes("unopened"), false);
  });
}

Deno.test("an unreadable login is told as an error beside a QR, which would be lost on the way", async () => {
  const stage = new Supervised("linked");
  stage.ownership.keysOfOthers.add(KEY);
  const first = await stage.logIn();
  await stage.end(first);
  await stage.showQr();
  stage.store.unreadable = new CredentialsUnreadableError(ONE, null, KEY);
  await stage.pass(2_000);
  assert.equal(stage.shown, "qr_required/generated");
  assert.deepEqual(stage.supervisor.snapshot.login, {
    kind: "failed",
    code: "CREDENTIALS_UNREADABLE",
    rival: null,
  });
  assert.equal(stage.told.includes("unopened"), false);
});

Deno.test("a login that is not there is an error", async () => {
  const stage = new Supervised("linked");
  stage.store.put(stage.session, { link: "working" });
  await stage.supervisor.resume();
  await settled();
  assert.equal(stage.session.lastError?.code, "CREDENTIALS_UNREADABLE");
});

Deno.test("keys that cannot be opened end the login that asked for them", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.unreadable = new CredentialsUnreadableError(ONE);
  await assert.rejects(
    socket.listener.onRequest({ type: "load_keys", keyType: "session", ids: ["1"] }),
    CredentialsUnreadableError,
  );
  await settled();
  assert.deepEqual(socket.closed, { unlink: false });
  assert.equal(stage.session.lastError?.code, "CREDENTIALS_UNREADABLE");
});

Deno.test("keys that cannot be opened say nothing of the login once its socket has been replaced", async () => {
  const stage = new Supervised("linked");
  const socket = await stage.logIn();
  stage.store.unreadable = new CredentialsUnreadableError(ONE);
  stage.store.hold();
  const loaded = assert.rejects(
    socket.listener.onRequest({ type: "load_keys", keyType: "session", ids: ["1"] }),
    CredentialsUnreadableError,
  );
  const loggedOut = stage.supervisor.submit({ type: "disconnected", reason: "LOGOUT" });
  stage.store.resume();
  await loaded;
  await loggedOut;
  await settled();
  assert.equal(stage.session.lastError?.code, "LOGOUT");
});
