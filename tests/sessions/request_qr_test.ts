import assert from "node:assert/strict";
import type { QrView } from "@session-manager/contract";
import { type Session, updateSession } from "../../domain/session.ts";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { ForeignRowError } from "../../sessions/ports/store.ts";
import { SessionReader } from "../../sessions/read_session.ts";
import { RequestQr } from "../../sessions/request_qr.ts";
import { Registered } from "./registered.ts";
import { DONE, refusedWith } from "./scripted_ownership.ts";
import { settled } from "./scripted_sockets.ts";
import { DROPPED, LOGGED_OUT, ONE, RESTART, stateOf } from "./stage.ts";

const QR_WAIT_MS = 15_000;
const PNG = "data:image/png;base64,QR";
const FAILED = { code: "QR_GENERATION_FAILED" };

class Requesting extends Registered {
  readonly slots: PairingSlots;
  readonly #use: RequestQr;

  constructor(limit = 2) {
    super();
    this.slots = new PairingSlots(limit);
    this.#use = new RequestQr({
      registry: this.registry,
      reading: new SessionReader(this.options),
      ownership: this.ownership,
      store: this.store,
      clock: this.clock,
      pairingSlots: this.slots,
      qrWaitMs: QR_WAIT_MS,
    });
  }

  async request(instanceId = ONE): Promise<QrView> {
    return await this.#use.run(instanceId);
  }

  /** What is answered without waiting for anything. */
  atOnce(): QrView | Promise<QrView> {
    return this.#use.run(ONE);
  }

  stopUse(): void {
    this.#use.stop();
  }

  /** A call that has had its pairing socket opened. */
  async opened() {
    const requested = this.request();
    requested.catch(() => {});
    await settled();
    return { requested, socket: this.sockets.last("pair") };
  }
}

/** The session as another replica shows its QR. */
function showing(session: Session, now: number): Session {
  const qr = { status: "generated", string: PNG, generatedAt: now, expiresAt: now + 60_000 } as const;
  return updateSession(session, now, { status: "qr_required", qr, lastError: null });
}

Deno.test("run() makes the session, opens a socket, and answers with its QR once that is written", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  assert.equal(stage.slots.taken, 1);
  stage.store.hold();
  await stage.show(socket);
  assert.equal(await stateOf(requested), "pending");
  stage.store.resume();
  assert.equal((await requested).qr_string, PNG);
  assert.equal(stage.store.row(ONE).session.qr.status, "generated");
  // From now on without waiting, and always the very same.
  const again = stage.atOnce();
  assert.equal(again instanceof Promise, false);
  assert.equal(stage.atOnce(), again);
});

for (const found of ["new", "known"] as const) {
  Deno.test(`run() shares one socket, one slot and one QR among concurrent calls for a ${found} session`, async () => {
    const stage = new Requesting(1);
    if (found === "known") stage.create();
    const requested = Array.from({ length: 6 }, () => stage.request());
    await settled();
    assert.equal(stage.sockets.opened.length, 1);
    assert.equal(stage.slots.taken, 1);
    await stage.show(stage.sockets.last("pair"));
    const views = await Promise.all(requested);
    assert.deepEqual(new Set(views.map(({ qr_string }) => qr_string)), new Set([PNG]));
    assert.equal(stage.store.rows.size, 1);
  });
}

Deno.test("run() rejects every concurrent call for one session when no pairing may be opened", async () => {
  const stage = new Requesting(1);
  const taken = stage.slots.take()!;
  const requested = Array.from({ length: 3 }, () => stage.request());
  for (const call of requested) await assert.rejects(call, { code: "TOO_MANY_REQUESTS" });
  assert.equal(stage.store.rows.size, 0);
  assert.equal(stage.slots.taken, 1);
  taken.free();
});

Deno.test("run() gives up after its time, and the pairing it asked for gives its slot back", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  await stage.pass(QR_WAIT_MS - 1);
  assert.equal(await stateOf(requested), "pending");
  await stage.pass(1);
  await assert.rejects(requested, FAILED);
  // Others may still wait for that socket; it is closed at its own time.
  assert.equal(socket.closed, null);
  await stage.pass(5_000);
  assert.deepEqual(socket.closed, { unlink: false });
  socket.goes();
  await settled();
  assert.equal(stage.slots.taken, 0);
  assert.equal(stage.registry.size, 0);
  assert.equal(stage.clock.pending, 0);
});

Deno.test("run() ends at the session's next change once the service stops", async () => {
  const stage = new Requesting();
  const { requested } = await stage.opened();
  stage.stopUse();
  const stopped = stage.registry.stop();
  await assert.rejects(requested, FAILED);
  await stopped;
});

Deno.test("run() ends at a change that leaves it waiting, too, once the service stops", async () => {
  const stage = new Requesting();
  await stage.logIn(ONE);
  await stage.end(stage.sockets.last("login"));
  const { requested } = await stage.opened();
  stage.stopUse();
  assert.equal(await stateOf(requested), "pending");
  await stage.pass(2_000); // the login is taken up again beside the pairing
  assert.equal(stage.registry.find(ONE)?.snapshot.pairing.kind, "showing");
  await assert.rejects(requested, FAILED);
});

Deno.test("run() asks once more for a session whose QR has run out, and not again and again", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  await requested;
  await stage.pass(60_000);
  await stage.end(socket);
  const second = await stage.opened();
  assert.notEqual(second.socket, socket);
  await stage.end(second.socket);
  await assert.rejects(second.requested, FAILED);
  assert.equal(stage.sockets.opened.length, 2);
});

Deno.test("run() gives no QR whose socket may be gone, because a change waits for the store", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  await requested;
  stage.store.mood = "away";
  await stage.end(socket);
  assert.equal(stage.registry.find(ONE)?.snapshot.session.qr.status, "generated");
  await assert.rejects(stage.request(), { ...FAILED, retryAfterSeconds: 5 });
});

Deno.test("run() fails as soon as the pairing socket ends without a QR", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  await stage.end(socket);
  await assert.rejects(requested, FAILED);
  assert.equal(stage.slots.taken, 0);
  assert.equal(stage.sockets.opened.length, 1);
});

Deno.test("run() asks for another QR when the one that was shown has run out", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  await requested;
  await stage.pass(60_000);
  const second = stage.request();
  await settled();
  assert.equal(stage.sockets.opened.length, 1); // its socket may still bring the next
  await stage.end(socket);
  await settled();
  assert.equal(stage.sockets.opened.length, 2);
  await stage.show(stage.sockets.last("pair"));
  assert.equal((await second).qr_string, PNG);
});

Deno.test("run() is told that there is nothing to scan when the session is connected, here or in the store", async () => {
  const stage = new Requesting();
  await stage.logIn(ONE);
  await assert.rejects(stage.request(), { code: "SESSION_ALREADY_CONNECTED" });
  stage.link("sender_2");
  stage.ownership.assign("sender_2", "another");
  await assert.rejects(stage.request("sender_2"), { code: "SESSION_ALREADY_CONNECTED" });
  assert.deepEqual(stage.ownership.asked, []);
  assert.equal(stage.slots.taken, 0);
});

Deno.test("run() is told that there is nothing to scan when a phone scans while it waits", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  stage.store.hold();
  stage.tell(socket, { type: "qr", string: PNG, ordinal: 0 });
  const scanned = stage.scan(socket, "new login");
  stage.store.resume();
  await scanned;
  assert.equal((await requested).qr_string, PNG); // it was valid when it was shown
  await assert.rejects(stage.request(), { code: "SESSION_ALREADY_CONNECTED" });
});

Deno.test("run() fails when the pairing it waits for ends and the login is on its way back", async () => {
  const stage = new Requesting();
  await stage.logIn(ONE);
  await stage.end(stage.sockets.last("login"));
  const { requested, socket } = await stage.opened();
  await stage.pass(2_000); // a login is opened beside it
  assert.equal(stage.sockets.last("login").closed, null);
  await stage.end(socket);
  await assert.rejects(requested, FAILED);
});

Deno.test("run() rejects when as many pairings are open as may be, and makes no row then", async () => {
  const stage = new Requesting();
  const requested = ["a", "b"].map((id) => stage.request(id));
  await settled();
  assert.equal(stage.slots.taken, 2);
  await assert.rejects(stage.request(), { code: "TOO_MANY_REQUESTS", retryAfterSeconds: 5 });
  assert.equal(stage.store.rows.has(ONE), false);
  stage.create();
  await assert.rejects(stage.request(), { code: "TOO_MANY_REQUESTS" });
  assert.equal(stage.slots.taken, 2);
  for (const socket of stage.sockets.opened) await stage.show(socket);
  await Promise.all(requested);
  await stage.end(stage.sockets.opened[0]!, DROPPED);
  const next = stage.request();
  await settled();
  await stage.show(stage.sockets.last("pair"));
  await next;
});

Deno.test("run() gives its slot back when the store is away", async () => {
  const stage = new Requesting();
  stage.store.mood = "away";
  await assert.rejects(stage.request(), { ...FAILED, retryAfterSeconds: 5 });
  assert.equal(stage.slots.taken, 0);
  stage.store.mood = "well";
  // Away only once a slot is reserved for a session that is to be made.
  const create = stage.store.findOrCreate.bind(stage.store);
  stage.store.findOrCreate = async (instanceId, now) => {
    stage.store.mood = "away";
    return await create(instanceId, now);
  };
  await assert.rejects(stage.request(), FAILED);
  assert.equal(stage.slots.taken, 0);
});

Deno.test("run() does not wait for a QR that waits for the store", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  stage.store.mood = "away";
  await stage.show(socket);
  await assert.rejects(requested, { ...FAILED, retryAfterSeconds: 5 });
  await assert.rejects(stage.request(), { ...FAILED, retryAfterSeconds: 5 });
  stage.store.mood = "well";
  await stage.pass(5_000);
  assert.equal((await stage.request()).qr_string, PNG);
});

Deno.test("run() follows a session that is lost while it waits to its next owner", async () => {
  const stage = new Requesting();
  stage.create();
  const { requested, socket } = await stage.opened();
  stage.ownership.assign(ONE, "another");
  const { session } = stage.store.row(ONE);
  stage.ownership.answer = () => {
    stage.store.put(showing(session, stage.clock.now()));
    return Promise.resolve(DONE);
  };
  await stage.show(socket, 0, "data:image/png;base64,lost");
  assert.equal((await requested).qr_string, PNG);
  assert.deepEqual(stage.ownership.asked.map(({ owner, waitMs }) => [owner, waitMs]), [
    ["another", QR_WAIT_MS + 2_000],
  ]);
  socket.goes();
  await settled();
  assert.equal(stage.slots.taken, 0);
});

Deno.test("run() makes a session anew that is deleted while it waits", async () => {
  const stage = new Requesting();
  const { requested, socket } = await stage.opened();
  stage.store.rows.delete(ONE);
  await stage.show(socket);
  assert.equal(stage.sockets.opened.length, 2);
  await stage.show(stage.sockets.last("pair"), 0, "data:image/png;base64,anew");
  assert.equal((await requested).qr_string, "data:image/png;base64,anew");
});

Deno.test("run() answers with the QR that another replica shows, without asking it", async () => {
  const stage = new Requesting();
  stage.store.put(showing(stage.create(), stage.clock.now()));
  stage.ownership.assign(ONE, "another");
  assert.equal((await stage.request()).qr_string, PNG);
  assert.deepEqual(stage.ownership.asked, []);
});

Deno.test("run() asks the owner of a session for a QR, and tells what that one says", async (t) => {
  const stage = new Requesting();
  stage.create();
  stage.ownership.assign(ONE, "another");
  for (const code of ["TOO_MANY_REQUESTS", "SESSION_ALREADY_CONNECTED", "QR_GENERATION_FAILED"]) {
    await t.step(code, async () => {
      stage.ownership.answer = () => Promise.resolve(refusedWith(code));
      await assert.rejects(stage.request(), { code });
    });
  }
  await t.step("what no catalogue knows", async () => {
    stage.ownership.answer = () => Promise.resolve(refusedWith("failed"));
    await assert.rejects(stage.request(), FAILED);
  });
  await t.step("nothing in time", async () => {
    stage.ownership.answer = () => Promise.resolve({ kind: "late" });
    await assert.rejects(stage.request(), { ...FAILED, retryAfterSeconds: 5 });
  });
  assert.equal(stage.slots.taken, 0);
});

Deno.test("run() takes a session whose owner turns out to be gone", async () => {
  const stage = new Requesting();
  stage.create();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = () => {
    stage.ownership.vacate(ONE);
    return Promise.resolve({ kind: "lost" });
  };
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  assert.equal((await requested).qr_string, PNG);
  assert.equal(stage.ownership.asked.length, 1);
});

Deno.test("run() gives up on a session that keeps moving", async () => {
  const stage = new Requesting();
  stage.create();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = () => Promise.resolve({ kind: "lost" });
  await assert.rejects(stage.request(), { ...FAILED, retryAfterSeconds: 5 });
  assert.equal(stage.ownership.asked.length, 5);
});

Deno.test("run() begins a foreign row anew", async () => {
  const stage = new Requesting();
  stage.store.put(stage.create(), { foreign: new ForeignRowError(ONE, "status") });
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  assert.equal((await requested).qr_string, PNG);
});

Deno.test("run() pairs anew where the login is gone, and the new one logs in", async () => {
  const stage = new Requesting();
  await stage.logIn(ONE);
  await stage.end(stage.sockets.last("login"), LOGGED_OUT);
  const { requested, socket } = await stage.opened();
  await stage.show(socket);
  await requested;
  await stage.scan(socket, "new login");
  await stage.end(socket, RESTART);
  await stage.letIn(stage.sockets.last("login"));
  assert.equal(stage.store.row(ONE).session.status, "connected");
  assert.equal(stage.slots.taken, 0);
});
