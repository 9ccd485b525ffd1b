import assert from "node:assert/strict";
import fc from "fast-check";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { SocketEvent } from "../../sessions/ports/sockets.ts";
import { settled } from "../sessions/scripted_sockets.ts";
import { anyMessage, GOOD, good, wrongMessages } from "./messages.ts";
import { MUTED, ScriptedHandle, TRANSFERRED, UNMUTED } from "./scripted_handle.ts";

const BOUNDS = { hangMs: 15_000, startMs: 60_000, memoryLimitBytes: 2 ** 30 };
const LOST: SocketEvent = { type: "closed", cause: { origin: "worker" } };

Deno.test("WorkerHandle passes events and requests on unchanged when they come in their order", async () => {
  await using handle = await ScriptedHandle.open();
  const pairing = handle.socket(1, "pair");
  const login = handle.socket(2, "login");
  assert.equal(await handle.receive(GOOD.qr, GOOD.passkey_demanded, GOOD.paired), false);
  assert.equal(
    await handle.receive(good("save_keys", { id: 2 }), GOOD.closed, good("gone", { unlinked: true })),
    false,
  );
  assert.deepEqual(pairing.heard, [
    GOOD.qr.event,
    GOOD.passkey_demanded.event,
    GOOD.paired.request,
    GOOD.save_keys.request,
    GOOD.closed.event,
  ]);
  assert.deepEqual(await pairing.gone, { unlinked: true });
  assert.equal(
    await handle.receive(good("identified", { socket: 2 }), good("connected", { socket: 2 })),
    false,
  );
  assert.deepEqual(login.heard, [GOOD.identified.event, GOOD.connected.event]);
});

Deno.test("WorkerHandle answers a request with what its listener returns, and with a failure when it rejects", async () => {
  await using handle = await ScriptedHandle.open();
  const first = Promise.withResolvers<Map<string, string>>();
  handle.socket(1, "login", () => first.promise);
  handle.socket(2, "login", () => Promise.reject(new Error("no")));
  await handle.receive(GOOD.load_keys);
  const failed = handle.fault("answer.2.failed");
  handle.send(good("load_keys", { socket: 2, id: 2 }));
  await failed;
  assert.ok(!handle.faults.includes("answer.1.key"), "nothing is acknowledged before its time");
  const found = handle.fault("answer.1.key");
  first.resolve(new Map([["key", "value"]]));
  await found;
});

Deno.test("WorkerHandle rejects a request when its socket has ended", async () => {
  await using handle = await ScriptedHandle.open();
  const { heard } = handle.socket(1, "login");
  const failed = handle.fault("answer.1.failed");
  handle.send(GOOD.closed);
  handle.send(GOOD.load_keys);
  await failed;
  assert.deepEqual(heard, [GOOD.closed.event]);
});

Deno.test("WorkerHandle gives a worker up and tells its sockets when a message is wrong", async () => {
  // Each of them needs a thread of its own, so that a few stand for all; `checkReport()` is tested with every one.
  const chosen = wrongMessages();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: chosen.length - 1 }), async (index) => {
      const { what, message } = chosen[index]!;
      await using handle = await ScriptedHandle.open();
      const pairing = handle.socket(1, "pair");
      const login = handle.socket(2, "login");
      assert.equal(await handle.receive(message), true, what);
      assert.deepEqual(handle.ends.map(({ end }) => end), ["misbehaved"]);
      for (const { heard, gone } of [pairing, login]) {
        assert.deepEqual(heard, [LOST], what);
        assert.deepEqual(await gone, { unlinked: false });
      }
    }),
    { numRuns: 25 },
  );
});

const OUT_OF_TURN: Readonly<Record<string, [kind: "pair" | "login" | "unlink", ...messages: unknown[]]>> = {
  "a login shows a QR": ["login", GOOD.qr],
  "a login is paired": ["login", GOOD.paired],
  "a pairing is connected": ["pair", GOOD.connected],
  "a pairing is paired twice": ["pair", GOOD.paired, good("paired", { id: 2 })],
  "a pairing saves keys before its login is stored": ["pair", GOOD.save_keys],
  "a login that is being unlinked loads keys": ["unlink", GOOD.load_keys],
  "another login than the identified one is connected": [
    "login",
    GOOD.identified,
    good("connected", { jid: "5491155550002:1@s.whatsapp.net" }),
  ],
  "a login is connected twice": ["login", GOOD.identified, GOOD.connected, GOOD.connected],
  "a QR comes twice": ["pair", GOOD.qr, GOOD.qr],
  "a socket ends twice": ["pair", GOOD.closed, GOOD.closed],
  "a socket is gone without an end": ["pair", GOOD.gone],
  "a socket is gone twice": ["pair", GOOD.closed, GOOD.gone, GOOD.gone],
  "a socket is unknown": ["pair", good("closed", { socket: 7 })],
  "a heartbeat was not asked for": ["pair", GOOD.heartbeat],
  "a stop was not asked for": ["pair", GOOD.stop],
  "a request has an id that was used before": ["login", GOOD.load_keys, GOOD.load_keys],
  "a message brings a port": ["pair", TRANSFERRED],
};

for (const [what, [kind, ...messages]] of Object.entries(OUT_OF_TURN)) {
  Deno.test(`WorkerHandle gives a worker up when ${what}`, async () => {
    await using handle = await ScriptedHandle.open();
    const subject = handle.socket(1, kind);
    const other = handle.socket(2, "login");
    assert.equal(await handle.receive(...messages), true);
    assert.deepEqual(handle.ends.map(({ end }) => end), ["misbehaved"]);
    assert.deepEqual(other.heard, [LOST]);
    assert.deepEqual([await subject.gone, await other.gone], [{ unlinked: false }, { unlinked: false }]);
  });
}

Deno.test("WorkerHandle tells an event to be no older than a minute when the worker tells it to be older", async () => {
  await using handle = await ScriptedHandle.open();
  const pairing = handle.socket(1, "pair");
  const before = systemClock.steady();
  await handle.receive(good("qr", { at: 0, now: 1 }));
  const after = systemClock.steady();
  const [at] = pairing.times;
  assert.ok(at! >= before - 60_000 && at! <= after);
});

const HOUR_MS = 3_600_000;
const TOO_LATE: Readonly<Record<string, unknown>> = {
  "a QR is still to come": good("qr", { at: 2, now: 1 }),
  "a QR has a time that has not come": good("qr", { at: HOUR_MS, now: HOUR_MS }),
  "an end has a time that has not come": good("closed", { at: HOUR_MS, now: HOUR_MS }),
  "a heartbeat has a time that has not come": good("heartbeat", { now: HOUR_MS }),
  "a heartbeat tells of what is still to be received": good("heartbeat", { now: 1, heard: [[1, 2]] }),
  "a heartbeat tells of an unknown socket": good("heartbeat", { now: 1, heard: [[7, 1]] }),
};

for (const [what, message] of Object.entries(TOO_LATE)) {
  Deno.test(`WorkerHandle gives a worker up when ${what}`, async () => {
    await using handle = await ScriptedHandle.open();
    handle.socket(1, "pair");
    handle.worker.checkHeartbeat(BOUNDS);
    assert.equal(await handle.receive(message), true);
    assert.deepEqual(handle.ends.map(({ end }) => end), ["misbehaved"]);
    assert.equal(handle.worker.heardAt(1), null);
  });
}

Deno.test("heardAt() is the wall time of the last heartbeat's moment", async () => {
  const clock = new DrivenClock();
  await using handle = await ScriptedHandle.open(clock);
  handle.socket(1, "pair");
  clock.advance(10_000);
  handle.worker.checkHeartbeat(BOUNDS);
  // By its count the worker began as it was started; it received something 4 s ago.
  assert.equal(await handle.receive(good("heartbeat", { now: 10_000, heard: [[1, 6_000]] })), false);
  assert.equal(handle.worker.heardAt(1), clock.now() - 4_000);
  assert.equal(handle.worker.memoryBytes, 1);
  clock.setWall(60_000);
  assert.equal(handle.worker.heardAt(1), clock.now() - 4_000);
  assert.equal(handle.worker.heardAt(2), null);
  await stop(handle, clock);
});

Deno.test("checkHeartbeat() gives a worker up when it answers with a stop", async () => {
  await using handle = await ScriptedHandle.open();
  handle.worker.checkHeartbeat(BOUNDS);
  assert.equal(await handle.receive(GOOD.stop), true);
  assert.deepEqual(handle.ends, [{ end: "misbehaved", detail: "stop: out of turn" }]);
});

Deno.test("checkHeartbeat() gives a worker up when it answers twice", async () => {
  await using handle = await ScriptedHandle.open();
  handle.worker.checkHeartbeat(BOUNDS);
  const answer = good("heartbeat", { heard: [] });
  assert.equal(await handle.receive(answer), false);
  assert.equal(await handle.receive(answer), true);
  assert.deepEqual(handle.ends, [{ end: "misbehaved", detail: "heartbeat: out of turn" }]);
});

Deno.test("checkHeartbeat() asks once until the answer has come, and again afterwards", async () => {
  const clock = new DrivenClock();
  await using handle = await ScriptedHandle.open(clock);
  clock.advance(1_000);
  for (const id of [1, 2]) {
    handle.worker.checkHeartbeat(BOUNDS);
    handle.worker.checkHeartbeat(BOUNDS);
    const answer = { ...good("heartbeat", { heard: [], now: id }), id };
    assert.equal(await handle.receive(answer), false, `${id}`);
  }
  assert.equal(clock.pending, 0, "no deadline is left");
  await stop(handle, clock);
});

Deno.test("checkHeartbeat() gives a worker up when it has grown too large", async () => {
  await using handle = await ScriptedHandle.open();
  const { heard } = handle.socket(1, "login");
  handle.worker.checkHeartbeat(BOUNDS);
  await handle.receive(good("heartbeat", { heard: [], memoryBytes: BOUNDS.memoryLimitBytes + 2 ** 20 }));
  assert.deepEqual(handle.ends, []);
  handle.worker.checkHeartbeat(BOUNDS);
  assert.deepEqual(handle.ends, [{ end: "out_of_memory", detail: "1025 MiB" }]);
  assert.deepEqual(heard, [LOST]);
});

Deno.test("checkHeartbeat() reads the heartbeat that has come when the main thread was held up beyond its deadline", async () => {
  const clock = new DrivenClock();
  await using handle = await ScriptedHandle.open(clock);
  handle.worker.checkHeartbeat(BOUNDS);
  clock.stall(2 * BOUNDS.hangMs);
  clock.advance(0); // its timers fire before its messages are read
  assert.equal(await handle.receive(good("heartbeat", { heard: [] })), false);
  clock.advance(BOUNDS.hangMs);
  await settled();
  assert.deepEqual(handle.ends, []);
  await stop(handle, clock);
});

Deno.test("close() ignores the events that a socket sent before it learned of it", async () => {
  await using handle = await ScriptedHandle.open();
  const pairing = handle.socket(1, "pair");
  await handle.receive(MUTED, GOOD.qr);
  handle.worker.close(1, true);
  const failed = handle.fault("answer.1.failed");
  handle.send(GOOD.paired);
  await failed;
  assert.equal(await handle.receive(good("qr", { ordinal: 1 }), GOOD.closed), false);
  assert.equal(await handle.receive(good("gone", { unlinked: true }), UNMUTED), false);
  assert.deepEqual(await pairing.gone, { unlinked: true });
  assert.deepEqual(pairing.heard, [GOOD.qr.event]);
});

Deno.test("stop() ends a worker that does not answer when its time is over", async () => {
  const clock = new DrivenClock();
  const handle = await ScriptedHandle.open(clock);
  const { heard, gone } = handle.socket(1, "login");
  await handle.receive(MUTED);
  const stopping = handle.worker.stop();
  clock.advance(3_000);
  await stopping;
  assert.deepEqual(await gone, { unlinked: false });
  assert.deepEqual([heard, handle.ends, clock.pending], [[], [], 0]);
});

Deno.test("WorkerHandle tells each socket its end once when a worker sends anything", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyMessage, { maxLength: 12 }), async (messages) => {
      const handle = await ScriptedHandle.open();
      const sockets = (["pair", "login", "unlink", "login"] as const).map((kind, i) =>
        handle.socket(i + 1, kind)
      );
      const isGivenUp = await handle.receive(...messages);
      assert.equal(handle.ends.length, isGivenUp ? 1 : 0);
      await handle[Symbol.asyncDispose]();
      for (const { heard, gone } of sockets) {
        await gone;
        const types = heard.map(({ type }) => type);
        const end = types.indexOf("closed");
        if (isGivenUp) assert.notEqual(end, -1);
        if (end !== -1) assert.equal(end, types.length - 1);
      }
    }),
    { numRuns: 25 },
  );
});

/** Stops a handle whose time does not pass by itself. */
async function stop(handle: ScriptedHandle, clock: DrivenClock): Promise<void> {
  await handle.worker.stop();
  assert.equal(clock.pending, 0);
}
