import assert from "node:assert/strict";
import {
  hangWorker,
  sabotage,
  SABOTEUR,
  setWorkerClock,
  stopWorkerTime,
} from "../../lab/sabotage/sabotage.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { DAY_MS, HOUR_MS, setWallClock } from "../../lab/clocks/wall_clock.ts";
import { QUICK_LINKS } from "../e2e/scenarios.ts";
import { scenario, UNWATCHED, type World, type WorldOptions } from "../e2e/world.ts";

const SABOTAGED: WorldOptions = { ...QUICK_LINKS, supervision: { workerScript: SABOTEUR } };

/** How often workers are asked for a heartbeat, and how long it may take, in milliseconds; the product's own. */
const WATCH = { heartbeatMs: 5_000, hangMs: 15_000 };

/** By the log: it may be back before HTTP is asked. */
function untilLost({ log }: World, instanceId: string): Promise<unknown> {
  return log.next(({ instance_id, status }) => instance_id === instanceId && status === "disconnected");
}

/** Links two sessions, breaks something, and sees both back. */
async function survive(world: World, breakIt: () => unknown, sign: string): Promise<void> {
  const [one, two] = [await world.link("one"), await world.link("two")];
  const noticed = world.log.next(({ event }) => event === sign);
  const gone = untilLost(world, "one");
  const back = world.gateway.when("online", { phone: one.number });
  await breakIt();
  await noticed;
  await gone;
  await back;
  await world.untilStatus("one", "connected");
  await world.untilStatus("two", "connected");
  assert.deepEqual([one.devices.length, two.devices.length], [1, 1]);
  assert.equal(world.gateway.stats.overlaps, 0);
}

scenario("WorkerPool replaces a worker when it hangs, and its sessions resume", async (start) => {
  const clock = new SkippingClock();
  await using world = await start({
    ...QUICK_LINKS,
    supervision: { clock, workerScript: SABOTEUR, watch: WATCH },
  });
  await survive(world, async () => {
    const letGo = await hangWorker();
    const hung = world.log.next(({ end }) => end === "hung");
    clock.skip(2 * WATCH.heartbeatMs + WATCH.hangMs);
    await hung;
    // The runtime cannot end a thread that never yields: its sessions wait until it does.
    letGo();
  }, "worker_lost");
}, { only: "sqlite" });

scenario("WorkerPool replaces a worker when it ends by itself, and its sessions resume", async (start) => {
  await using world = await start(SABOTAGED);
  await survive(world, () => sabotage("close"), "worker_lost");
  assert.ok(world.log.lines.some(({ end, sockets }) => end === "crashed" && sockets === 2));
}, { only: "sqlite" });

scenario(
  "WorkerPool replaces a worker when it grows too large, before it takes the process down",
  async (start) => {
    await using world = await start({
      ...QUICK_LINKS,
      supervision: { workerScript: SABOTEUR, watch: { heartbeatMs: 200, memoryLimitBytes: 64 * 2 ** 20 } },
    });
    await survive(world, () => sabotage("grow"), "worker_lost");
    assert.ok(world.log.lines.some(({ end }) => end === "out_of_memory"));
  },
  { only: "sqlite" },
);

for (const what of ["throw", "reject"] as const) {
  scenario(`a session stays connected when another one's code does not catch a ${what}`, async (start) => {
    await using world = await start(SABOTAGED);
    await world.link("other");
    const fault = world.log.next(({ event }) => event === "worker_fault");
    sabotage(what);
    assert.equal((await fault).name, "Error");
    assert.equal((await world.hub.session("other")).status, "connected");
    await world.link("next");
    assert.equal(world.gateway.stats.logins, 2);
  }, { only: "sqlite" });
}

scenario("a session stays connected when another worker is lost", async (start) => {
  await using world = await start({ ...SABOTAGED, environment: { SOCKET_WORKERS: "2" } });
  // Sockets 1 and 2 pair and log in the first session, 3 and 4 the second.
  const [one, two] = [await world.link("one"), await world.link("two")];
  assert.deepEqual(world.service.socketLoad(), [1, 1]);
  const gone = untilLost(world, "two");
  sabotage("close", 4);
  await gone;
  assert.equal((await world.hub.session("one")).status, "connected");
  await world.untilStatus("two", "connected");
  assert.deepEqual([one.devices[0]?.logins, two.devices[0]?.logins], [1, 2]);
}, { only: "sqlite" });

for (const [what, strike] of [["silent", "silence"], ["unintelligible", "garble"]] as const) {
  scenario(
    `endIfSilent() gives a socket up when its peer has become ${what}, and the session resumes`,
    async (start) => {
      const clock = new SkippingClock();
      await using world = await start({
        ...QUICK_LINKS,
        // Baileys itself gives up a socket that has heard nothing for the time between two pings and 5 s more.
        socketSettings: { keepAliveMs: 200, silenceMs: 3_000 },
        supervision: { clock, workerScript: SABOTEUR, ...UNWATCHED },
      });
      const phone = await world.link("dead");
      const neighbour = await world.link("alive");
      const ended = world.log.next(({ event }) => event === "socket_closed");
      const back = world.gateway.when("online", { phone: phone.number });
      await stopWorkerTime(0);
      world.gateway[strike](phone);
      // The worker's time stands still: a socket that hears something from now on hears it 4 s later, however long that takes.
      await stopWorkerTime(4_000);
      await world.gateway.when("ping", { phone: neighbour.number, nth: 3 });
      clock.skip(UNWATCHED.watch.heartbeatMs);
      assert.deepEqual(
        (({ origin, code, instance_id }) => ({ origin, code, instance_id }))(await ended),
        { origin: "client", code: 408, instance_id: "dead" },
      );
      await back;
      await world.untilStatus("dead", "connected");
      assert.equal(neighbour.devices[0]?.logins, 1);
    },
    { only: "sqlite" },
  );
}

scenario(
  "WorkerPool retires a worker when WhatsApp leaves one socket after the other unanswered",
  async (start) => {
    await using before = await start(QUICK_LINKS);
    const phone = await before.link("stubborn");
    await before.stopService();
    const { gateway, config: { databaseUrl } } = before;
    const hung = gateway.faults.add({ do: "hang-upgrade" });
    // Nothing is lost where a busy machine takes longer once: a login that was not answered is tried again.
    await using world = await start({
      gateway,
      databaseUrl,
      socketSettings: { connectMs: 2_000 },
      supervision: { watch: { heartbeatMs: 200, unansweredLimit: 3 } },
    });
    await world.log.next(({ event }) => event === "worker_retired");
    assert.ok(hung.used >= 3);
    hung.remove();
    await world.untilStatus("stubborn", "connected");
    assert.equal(phone.devices.length, 1);
  },
  { only: "sqlite" },
);

scenario("heardAt() is when WhatsApp last sent something when a session has a socket", async (start) => {
  await using world = await start({
    ...QUICK_LINKS,
    socketSettings: { keepAliveMs: 200 },
    supervision: { watch: { heartbeatMs: 20 } },
  });
  const { sessions } = world.service;
  const linked = Date.now();
  const phone = await world.link("heard");
  // Known as of the last heartbeat, which no event shows.
  while (sessions.heardAt("heard") === null) await world.gateway.when("ping", { phone: phone.number });
  assert.ok(sessions.heardAt("heard")! >= linked);
  assert.equal(sessions.heardAt("nobody"), null);
}, { only: "sqlite" });

/** Heartbeats and pings that come often, and bounds that a busy machine keeps: nothing here is to be lost by them. */
const UNHURRIED: WorldOptions = {
  ...QUICK_LINKS,
  socketSettings: { keepAliveMs: 300, silenceMs: 5_000 },
  supervision: { workerScript: SABOTEUR, watch: { heartbeatMs: 200, hangMs: 60_000 } },
};

for (const [which, byMs] of [["back by an hour", -HOUR_MS], ["forward by a day", DAY_MS]] as const) {
  scenario(
    `endIfSilent() ends a dead connection and no other when a worker's wall clock is set ${which}`,
    async (start) => {
      await using world = await start(UNHURRIED);
      const dead = await world.link("dead");
      const alive = await world.link("alive");
      await setWorkerClock(byMs);
      // Each comes a keep-alive later than the one before, when a connection that seems lost is looked for.
      await Promise.all(
        [dead, alive].map(({ number }) => world.gateway.when("ping", { phone: number, nth: 4 })),
      );
      assert.deepEqual([dead.devices[0]?.logins, alive.devices[0]?.logins], [1, 1]);

      const ended = world.log.next(({ event }) => event === "socket_closed");
      const back = world.gateway.when("online", { phone: dead.number });
      world.gateway.silence(dead);
      assert.equal((await ended).instance_id, "dead");
      await back;
      await world.untilStatus("dead", "connected");
      assert.equal(alive.devices[0]?.logins, 1);
    },
    { only: "sqlite" },
  );

  scenario(`a QR lives for as long as ever when a worker's wall clock is set ${which}`, async (start) => {
    await using world = await start(UNHURRIED);
    await world.link("other"); // the worker is there
    await setWorkerClock(byMs);
    const asked = Date.now();
    const { qr_expires_at } = await world.hub.qr("sender_1");
    const answered = Date.now();
    const expiresAt = Date.parse(qr_expires_at);
    assert.ok(expiresAt >= asked + 59_000 && expiresAt <= answered + 60_000, `${expiresAt - asked}`);
    await world.link("sender_1");
  }, { only: "sqlite" });

  scenario(
    `heardAt() follows the wall clock when that is set ${which}`,
    async (start) => {
      await using world = await start(UNHURRIED);
      const opened = Date.now();
      const phone = await world.link("heard");
      await world.gateway.when("ping", { phone: phone.number, nth: 3 });
      using _set = setWallClock(byMs);
      const heardAt = world.service.sessions.heardAt("heard");
      assert.ok(heardAt !== null && heardAt >= opened + byMs && heardAt <= Date.now(), `${heardAt}`);
    },
    { only: "sqlite" },
  );
}
