import assert from "node:assert/strict";
import type { LoginActivity } from "../../domain/snapshot.ts";
import { systemClock } from "../../runtime/clock.ts";
import { SABOTEUR, setWorkerClock } from "../../lab/sabotage/sabotage.ts";
import { DAY_MS, HOUR_MS, setWallClock } from "../../lab/clocks/wall_clock.ts";
import { QUICK_LINKS } from "./scenarios.ts";
import { scenario, type World, type WorldOptions } from "./world.ts";

const NAMES = Array.from({ length: 30 }, (_, n) => `sender_${n}`);
/** How many are linked at a time. */
const TOGETHER = 5;

/** Presences, heartbeats and pings that come often, with bounds that a busy machine keeps: none is to run out. */
const UNHURRIED = {
  supervision: {
    workerScript: SABOTEUR,
    watch: { heartbeatMs: 200, hangMs: 60_000 },
    replica: { ttlMs: 30_000, renewMs: 100, marginMs: 5_000, snapshotMs: 100 },
  },
  socketSettings: { keepAliveMs: 500, silenceMs: 60_000 },
} satisfies WorldOptions;

/** Lines that tell of something that a clock would have done. */
const DROPS = ["worker_lost", "worker_retired", "replica_fenced", "session_fenced", "supervision_failed"];

function drops({ log }: World): unknown[] {
  return log.lines.filter(({ event }) => DROPS.includes(String(event)));
}

/** Links all of them. */
async function linkAll(world: World): Promise<void> {
  for (let first = 0; first < NAMES.length; first += TOGETHER) {
    await Promise.all(NAMES.slice(first, first + TOGETHER).map((name) => world.link(name)));
  }
}

/** The first time that a session does this. */
function whenAny({ service }: World, kind: LoginActivity["kind"]): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const off = service.sessions.onChange(({ before, after }) => {
    if (after.login.kind === kind && before.login.kind !== kind) resolve();
  });
  return promise.finally(off);
}

scenario(
  "thirty sessions come back as ever while the wall clock is set back by an hour and forward by a day",
  async (start) => {
    await using before = await start(QUICK_LINKS);
    const { gateway } = before;
    await linkAll(before);
    await before.stopService();
    const { logins } = gateway.stats;

    // Some log in, some wait for their turn, and some for their next attempt: six that are refused, and one whose
    // first login is never answered, which its deadline has to end.
    gateway.faults.add({ do: "http-status", status: 503, times: 6 });
    gateway.faults.add({ do: "no-success", kind: "login", times: 1 });
    await using after = await start({
      ...UNHURRIED,
      gateway,
      databaseUrl: before.config.databaseUrl,
      policy: { backoff: { baseMs: 1_000, quickMs: 1_000, capMs: 1_000 }, loginMs: 5_000 },
      supervision: {
        ...UNHURRIED.supervision,
        clock: { ...systemClock, random: () => 0.99 },
        logins: { concurrent: 4, perSecond: 10 },
      },
    });
    // In the very moment in which one begins to wait, so that it does wait.
    await whenAny(after, "waiting");
    using _back = setWallClock(-HOUR_MS);
    await whenAny(after, "open");
    using _forward = setWallClock(HOUR_MS + DAY_MS);
    gateway.faults.add({ do: "http-status", status: 503, times: 2 });
    await whenAny(after, "waiting");
    using _backAgain = setWallClock(-HOUR_MS);

    for (const name of NAMES) await after.untilStatus(name, "connected");
    assert.deepEqual(drops(after), []);
    assert.equal(gateway.stats.overlaps, 0);
    assert.ok(gateway.stats.logins >= logins + NAMES.length);
  },
);

scenario(
  "thirty connected sessions stay so while the wall clock is set back by an hour and forward by a day",
  async (start) => {
    await using world = await start({ ...QUICK_LINKS, ...UNHURRIED });
    const { gateway } = world;
    await linkAll(world);
    const { logins } = gateway.stats;
    const told = await world.hub.session("sender_0");
    for (const byMs of [-HOUR_MS, HOUR_MS + DAY_MS, DAY_MS, -2 * DAY_MS]) {
      using _set = setWallClock(byMs);
      await setWorkerClock(byMs);
      // Each comes a keep-alive later than the one before it, and some heartbeats and renewals of a presence.
      const pinged = gateway.devices().map(({ phone }) => gateway.when("ping", { phone, nth: 4 }));
      await Promise.all(pinged);
      assert.deepEqual(await world.hub.session("sender_0"), told);
    }
    for (const name of NAMES) assert.equal((await world.hub.session(name)).status, "connected");
    assert.deepEqual(world.log.lines.filter(({ event }) => event === "socket_closed").length, NAMES.length);
    assert.deepEqual(drops(world), []);
    assert.equal(gateway.stats.logins, logins);

    // A number is linked as ever, by a QR that lives as long as ever.
    using _set = setWallClock(-HOUR_MS);
    await setWorkerClock(DAY_MS);
    await world.link("sender_51");
  },
);
