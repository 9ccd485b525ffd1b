import assert from "node:assert/strict";
import { type Change, SessionManager } from "../../sessions/manager.ts";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { refusedWith } from "./scripted_ownership.ts";
import { settled } from "./scripted_sockets.ts";
import { LOGIN, ONE, PHONE, Stage } from "./stage.ts";

class Managed extends Stage {
  readonly manager = new SessionManager({
    ...this.options,
    qrWaitMs: 15_000,
    pairingSlots: new PairingSlots(2),
  });

  /** Brings a session back that another replica has left, and logs it in. */
  async adoptOrphans(instanceId = ONE): Promise<void> {
    this.link(instanceId, `${LOGIN} of ${instanceId}`);
    await this.manager.adoptOrphans([instanceId]);
    await settled();
    await this.letIn(this.sockets.last("login"), `${instanceId}@s.whatsapp.net`);
  }
}

Deno.test("read() gives the same answer from memory and from the store", async () => {
  const stage = new Managed();
  await stage.adoptOrphans();
  assert.equal(stage.manager.isSupervised(ONE), true);
  const fromMemory = await stage.manager.read(ONE);
  const { reads } = countedReads(stage);
  assert.deepEqual(await stage.manager.read(ONE), fromMemory);
  assert.equal(reads(), 0);
  await stage.manager.stop();
  stage.store.put(stage.link());
  assert.deepEqual({ ...await stage.manager.read(ONE) }, { ...fromMemory });
  assert.equal(reads(), 1);
});

/** Counts how often the store is read from now on. */
function countedReads({ store }: Managed): { reads: () => number } {
  let reads = 0;
  const outline = store.outline.bind(store);
  store.outline = (instanceId) => {
    reads++;
    return outline(instanceId);
  };
  return { reads: () => reads };
}

Deno.test("adoptOrphans() brings back what can be, whatever the others come to", async () => {
  const stage = new Managed();
  stage.link("sender_2");
  stage.store.put(stage.link("sender_3"), { link: "working", login: null });
  stage.ownership.assign("sender_3", "another");
  await stage.manager.adoptOrphans(["missing", "sender_3", "sender_2"]);
  await settled();
  assert.equal(stage.manager.supervised, 1);
  assert.equal(stage.sockets.opened.length, 1);
  stage.store.mood = "away";
  await stage.manager.adoptOrphans(["sender_4"]);
});

Deno.test("rebalance() and abandonAll() give sessions up, and heardAt() knows the others", async () => {
  const stage = new Managed();
  await stage.adoptOrphans();
  await stage.adoptOrphans("sender_2");
  const [first, second] = stage.sockets.opened;
  second!.heardAt = 7;
  const handedOver = stage.manager.rebalance(1);
  await settled();
  first!.goes();
  assert.equal(await handedOver, 1);
  assert.equal(stage.manager.supervised, 1);
  assert.equal(stage.manager.heardAt("sender_2"), 7);
  assert.equal(stage.manager.heardAt(ONE), null);
  const abandoned = stage.manager.abandonAll();
  second!.goes();
  await abandoned;
  assert.equal(stage.manager.supervised, 0);
});

Deno.test("onChange() tells of every change once it is durable, until that is ended", async () => {
  const stage = new Managed();
  stage.create();
  const heard: Change[] = [];
  const end = stage.manager.onChange((change) => heard.push(change));
  await stage.manager.reportConnected(ONE, PHONE);
  assert.deepEqual(heard.map(({ before, after }) => [before.session.status, after.session.status]), [
    ["init", "connected"],
  ]);
  assert.equal(heard[0]!.after.session, stage.store.row(ONE).session);
  end();
  await stage.manager.reportDisconnected(ONE, "NETWORK");
  assert.equal(heard.length, 1);
  const changes = stage.logged.filter(({ event }) => event === "session_changed");
  assert.deepEqual(changes.map(({ status, link, code }) => [status, link, code]), [
    ["connected", "reported", undefined],
    ["disconnected", undefined, "NETWORK"],
  ]);
});

Deno.test("a connection is logged as observed when the login's own socket has it, and as reported otherwise", async () => {
  const stage = new Managed();
  await stage.adoptOrphans();
  const links = stage.logged.filter(({ status }) => status === "connected").map(({ link }) => link);
  assert.deepEqual(links, ["observed"]);
});

Deno.test("runCommand() does for another replica what it is asked, and says what came of it", async () => {
  const stage = new Managed();
  stage.create();
  const run = stage.manager.runCommand.bind(stage.manager);
  const connected = await run(ONE, { type: "connected", phoneNumber: PHONE });
  assert.deepEqual(connected, { kind: "done", result: await stage.manager.read(ONE) });
  assert.deepEqual(await run(ONE, { type: "qr_requested" }), refusedWith("SESSION_ALREADY_CONNECTED"));
  const disconnected = await run(ONE, { type: "disconnected", reason: "LOGOUT" });
  assert.deepEqual(disconnected, { kind: "done", result: await stage.manager.read(ONE) });
  const requested = run(ONE, { type: "qr_requested" });
  await settled();
  await stage.show(stage.sockets.last("pair"));
  assert.deepEqual(await requested, { kind: "done", result: await stage.manager.requestQr(ONE) });
  assert.equal(stage.store.row(ONE).session.qr.status, "generated");
  assert.deepEqual(
    await run("sender_2", { type: "disconnected", reason: "LOGOUT" }),
    refusedWith("SESSION_NOT_FOUND"),
  );
});

Deno.test("stalled counts the sessions that have a change which waits for the store", async () => {
  const stage = new Managed();
  await stage.adoptOrphans();
  assert.equal(stage.manager.stalled, 0);
  stage.store.mood = "away";
  await assert.rejects(stage.manager.reportDisconnected(ONE, "NETWORK"));
  assert.equal(stage.manager.stalled, 1);
  await assert.rejects(async () => await stage.manager.read(ONE), { code: "SESSION_MANAGER_ERROR" });
});
