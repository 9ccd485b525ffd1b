import assert from "node:assert/strict";
import { ForeignRowError } from "../../sessions/ports/store.ts";
import { SessionReader } from "../../sessions/read_session.ts";
import { ReportEvent } from "../../sessions/report_event.ts";
import { Registered } from "./registered.ts";
import { DONE, refusedWith } from "./scripted_ownership.ts";
import { ONE, PHONE } from "./stage.ts";

class Reporting extends Registered {
  readonly report = new ReportEvent({
    registry: this.registry,
    reading: new SessionReader(this.options),
    ownership: this.ownership,
    store: this.store,
  });
}

Deno.test("connected() and disconnected() answer with the session as it is durable then", async () => {
  const stage = new Reporting();
  stage.create();
  const connected = await stage.report.connected(ONE, PHONE);
  assert.deepEqual([connected.status, stage.store.row(ONE).session.status], ["connected", "connected"]);
  assert.equal(stage.store.row(ONE).session.phoneNumber, PHONE);
  const disconnected = await stage.report.disconnected(ONE, "TIMEOUT");
  assert.equal(disconnected.status, "disconnected");
  assert.equal(stage.store.row(ONE).session.lastError?.code, "TIMEOUT");
  assert.equal(stage.registry.size, 0);
});

Deno.test("connected() and disconnected() make no session", async () => {
  const stage = new Reporting();
  await assert.rejects(stage.report.connected(ONE, PHONE), { code: "SESSION_NOT_FOUND" });
  await assert.rejects(stage.report.disconnected(ONE, "LOGOUT"), { code: "SESSION_NOT_FOUND" });
  assert.equal(stage.store.rows.size, 0);
});

Deno.test("connected() and disconnected() have the owner of a session take the event, and answer with the row then", async () => {
  const stage = new Reporting();
  const session = stage.create();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = ({ command }) => {
    const { updatedAt: now } = session;
    if (command.type === "connected") stage.link();
    else stage.store.put({ ...session, updatedAt: now });
    return Promise.resolve(DONE);
  };
  assert.equal((await stage.report.connected(ONE, PHONE)).status, "connected");
  assert.equal((await stage.report.disconnected(ONE, "NETWORK")).status, "init");
  assert.deepEqual(stage.ownership.asked, [
    { owner: "another", instanceId: ONE, command: { type: "connected", phoneNumber: PHONE }, waitMs: 10_000 },
    {
      owner: "another",
      instanceId: ONE,
      command: { type: "disconnected", reason: "NETWORK" },
      waitMs: 10_000,
    },
  ]);
});

Deno.test("disconnected() takes the session itself when its owner turns out to be gone", async () => {
  const stage = new Reporting();
  stage.link();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = () => {
    stage.ownership.vacate(ONE);
    return Promise.resolve({ kind: "lost" });
  };
  assert.equal((await stage.report.disconnected(ONE, "UNKNOWN")).status, "disconnected");
  assert.equal(stage.ownership.asked.length, 1);
  assert.deepEqual(stage.released, [[ONE, true]]);
});

Deno.test("disconnected() gives up on a session that keeps moving", async () => {
  const stage = new Reporting();
  stage.create();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = () => Promise.resolve({ kind: "lost" });
  await assert.rejects(stage.report.disconnected(ONE, "UNKNOWN"), {
    code: "SESSION_MANAGER_ERROR",
    retryAfterSeconds: 5,
  });
  assert.equal(stage.ownership.asked.length, 5);
});

Deno.test("disconnected() tells what the owner says, and that it says nothing", async () => {
  const stage = new Reporting();
  stage.create();
  stage.ownership.assign(ONE, "another");
  stage.ownership.answer = () => Promise.resolve(refusedWith("SESSION_NOT_FOUND"));
  await assert.rejects(stage.report.disconnected(ONE, "UNKNOWN"), { code: "SESSION_NOT_FOUND" });
  stage.ownership.answer = () => Promise.resolve(refusedWith("failed"));
  await assert.rejects(stage.report.disconnected(ONE, "UNKNOWN"), { code: "SESSION_MANAGER_ERROR" });
  stage.ownership.answer = () => Promise.resolve({ kind: "late" });
  await assert.rejects(stage.report.disconnected(ONE, "UNKNOWN"), {
    code: "SESSION_MANAGER_ERROR",
    retryAfterSeconds: 5,
  });
});

Deno.test("connected() follows a session that another replica took meanwhile", async () => {
  const stage = new Reporting();
  await stage.logIn(ONE);
  stage.ownership.assign(ONE, "another");
  assert.equal((await stage.report.disconnected(ONE, "UNKNOWN")).status, "connected"); // as that one says
  assert.deepEqual(stage.ownership.asked.map(({ owner }) => owner), ["another"]);
});

Deno.test("disconnected() is told that a session was deleted meanwhile", async () => {
  const stage = new Reporting();
  await stage.logIn(ONE);
  stage.store.rows.delete(ONE);
  await assert.rejects(stage.report.disconnected(ONE, "UNKNOWN"), { code: "SESSION_NOT_FOUND" });
});

Deno.test("disconnected() rejects while the store is away, and is carried out when it is back", async () => {
  const stage = new Reporting();
  await stage.logIn(ONE);
  stage.store.mood = "away";
  await assert.rejects(stage.report.disconnected(ONE, "TIMEOUT"), {
    code: "SESSION_MANAGER_ERROR",
    retryAfterSeconds: 5,
  });
  stage.store.mood = "well";
  await stage.pass(1_000);
  assert.equal(stage.store.row(ONE).session.lastError?.code, "TIMEOUT");
});

Deno.test("disconnected() writes a foreign row anew", async () => {
  const stage = new Reporting();
  stage.store.put(stage.create(), { foreign: new ForeignRowError(ONE, "qr_status") });
  assert.equal((await stage.report.disconnected(ONE, "UNKNOWN")).status, "disconnected");
  assert.equal(stage.store.row(ONE).foreign, undefined);
});
