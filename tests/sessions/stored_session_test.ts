import assert from "node:assert/strict";
import { createSession, updateSession } from "../../domain/session.ts";
import { withoutForeign } from "../../sessions/foreign_rows.ts";
import { ForeignRowError, type StoredSession } from "../../sessions/ports/store.ts";
import { SessionReader } from "../../sessions/read_session.ts";
import { ONE, Stage } from "./stage.ts";

class Stored extends Stage {
  readonly reading = new SessionReader(this.options);

  /** Stores the session as its last owner has left it: with a valid QR. */
  leaveQr(isOrphan: boolean): void {
    const now = this.clock.now();
    const qr = { status: "generated", string: "QR", generatedAt: now, expiresAt: now + 60_000 } as const;
    const session = updateSession(createSession(ONE, now), now, {
      status: "qr_required",
      qr,
      lastError: null,
    });
    this.store.put(session, { isOrphan });
  }
}

Deno.test("stored() tells what the store holds, and that a QR is over whose time is", async () => {
  const stage = new Stored();
  await assert.rejects(async () => await stage.reading.stored(ONE), { code: "SESSION_NOT_FOUND" });
  stage.leaveQr(false);
  assert.equal((await stage.reading.stored(ONE)).qr_status, "generated");
  stage.clock.advance(60_000);
  const view = await stage.reading.stored(ONE);
  assert.deepEqual([view.qr_status, view.qr_string], ["expired", null]);
});

Deno.test("stored() tells a session without an owner as what whoever takes it up will make of it", async () => {
  const stage = new Stored();
  stage.leaveQr(true);
  assert.equal((await stage.reading.stored(ONE)).qr_status, "expired");
  const session = stage.link();
  stage.store.put(session, { link: "working", isOrphan: true });
  assert.equal((await stage.reading.stored(ONE)).status, "connecting");
  stage.store.put(session, { link: "working" });
  assert.equal((await stage.reading.stored(ONE)).status, "connected");
});

Deno.test("stored() answers without waiting where the store does", () => {
  const stage = new Stored();
  const session = stage.create();
  const reading = new SessionReader({
    ...stage.options,
    store: Object.assign(stage.store, { outline: () => session }),
  });
  const view = reading.stored(ONE);
  assert.equal(view instanceof Promise ? null : view.status, "init");
});

Deno.test("stored() and whole() name the column of a row that is no session, and none of its values", async () => {
  const stage = new Stored();
  stage.store.put(stage.create(), { foreign: new ForeignRowError(ONE, "qr_status") });
  for (const read of [() => stage.reading.stored(ONE), () => stage.reading.whole(ONE)]) {
    await assert.rejects(async () => await read(), { code: "SESSION_MANAGER_ERROR", message: /qr_status/ });
  }
});

Deno.test("whole() fails for a session that is not there, and while the store is away", async () => {
  const stage = new Stored();
  await assert.rejects(stage.reading.whole(ONE), { code: "SESSION_NOT_FOUND" });
  stage.store.mood = "away";
  await assert.rejects(stage.reading.whole(ONE), { code: "SESSION_MANAGER_ERROR", retryAfterSeconds: 5 });
});

Deno.test("storedQr() gives no QR of a session without an owner, nor of a row that is none", async () => {
  const stage = new Stored();
  assert.equal(await stage.reading.storedQr(ONE), null);
  stage.leaveQr(false);
  assert.equal((await stage.reading.storedQr(ONE))?.qr_string, "QR");
  stage.leaveQr(true);
  assert.equal(await stage.reading.storedQr(ONE), null);
});

Deno.test("withoutForeign() leaves rows alone that are no sessions, but those with a login, and names some of them", () => {
  const stage = new Stage();
  const row = (instanceId: string, link: StoredSession["link"], isForeign: boolean): StoredSession => ({
    session: createSession(instanceId, 1),
    link,
    predecessor: false,
    ...(isForeign ? { foreign: new ForeignRowError(instanceId, "status") } : {}),
  });
  const foreign = Array.from({ length: 24 }, (_, i) => row(`foreign_${i}`, "none", true));
  const kept = [row("own", "none", false), row("linked", "working", true)];
  assert.deepEqual(withoutForeign([...foreign, ...kept], stage.log), kept);
  assert.equal(stage.events.filter((event) => event === "foreign_row").length, 20);
  assert.deepEqual(stage.logged.at(-1), { event: "foreign_rows", rows: 25, named: 20 });
  assert.deepEqual(withoutForeign(kept.slice(0, 1), new Stage().log), kept.slice(0, 1));
});
