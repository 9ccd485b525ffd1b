import assert from "node:assert/strict";
import { sabotage, SABOTEUR } from "../whatsapp/sabotage.ts";
import { QUICK_LINKS } from "../e2e/scenarios.ts";
import { scenario, type World, type WorldOptions } from "../e2e/world.ts";

/** A worker that is asked for its pulse five times a second, and may owe it for two, as a busy machine needs. */
const WATCHED: WorldOptions = {
  ...QUICK_LINKS,
  supervision: { workerScript: SABOTEUR, watch: { pulseMs: 200, hangMs: 2_000 } },
};

/** Sockets that may be silent for two seconds. */
const IMPATIENT: WorldOptions = {
  ...WATCHED,
  socketSettings: { keepAliveMs: 400, silenceMs: 2_000 },
};

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

scenario("a worker that hangs is found out and replaced, and its sessions resume", async (start) => {
  await using world = await start(WATCHED);
  // The runtime cannot end a thread that never yields: this one lets go by itself, and is waited for.
  await survive(world, () => sabotage("hang"), "worker_lost");
  assert.ok(world.log.lines.some(({ end }) => end === "hung"));
}, { only: "sqlite" });

scenario("a worker that ends by itself is replaced, and its sessions resume", async (start) => {
  // Its pulse would be missed only after twenty seconds.
  await using world = await start({ supervision: { workerScript: SABOTEUR } });
  await survive(world, () => sabotage("close"), "worker_lost");
  assert.ok(world.log.lines.some(({ end, sockets }) => end === "crashed" && sockets === 2));
}, { only: "sqlite" });

scenario("a worker that grows too large is replaced before it takes the process down", async (start) => {
  await using world = await start({
    supervision: {
      workerScript: SABOTEUR,
      watch: { pulseMs: 200, hangMs: 5_000, memoryLimitBytes: 64 * 2 ** 20 },
    },
  });
  await survive(world, () => sabotage("grow"), "worker_lost");
  assert.ok(world.log.lines.some(({ end }) => end === "out_of_memory"));
}, { only: "sqlite" });

for (const what of ["throw", "reject"] as const) {
  scenario(`what one session's code does not catch, a ${what}, harms no session`, async (start) => {
    await using world = await start(WATCHED);
    await world.link("other");
    const fault = world.log.next(({ event }) => event === "worker_fault");
    sabotage(what);
    assert.equal((await fault).name, "Error");
    assert.equal((await world.hub.session("other")).status, "connected");
    await world.link("next");
    assert.equal(world.gateway.stats.logins, 2);
  }, { only: "sqlite" });
}

scenario("a session of another worker notices nothing when a worker is lost", async (start) => {
  await using world = await start({ ...WATCHED, environment: { SOCKET_WORKERS: "2" } });
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
  scenario(`a socket whose peer has become ${what} is given up and replaced`, async (start) => {
    await using world = await start(IMPATIENT);
    const phone = await world.link("dead");
    const neighbour = await world.link("alive");
    const ended = world.log.next(({ event }) => event === "socket_closed");
    const back = world.gateway.when("online", { phone: phone.number });
    world.gateway[strike](phone);
    assert.deepEqual(
      (({ origin, code, instance_id }) => ({ origin, code, instance_id }))(await ended),
      { origin: "client", code: 408, instance_id: "dead" },
    );
    await back;
    await world.untilStatus("dead", "connected");
    assert.equal(neighbour.devices[0]?.logins, 1);
  }, { only: "sqlite" });
}

scenario("sockets that WhatsApp leaves unanswered one after the other get a new worker", async (start) => {
  await using world = await start({
    socketSettings: { connectMs: 800 },
    supervision: { watch: { pulseMs: 200, hangMs: 5_000, unansweredLimit: 3 } },
  });
  const phone = await world.link("stubborn");
  const hung = world.gateway.faults.add({ do: "hang-upgrade" });
  const retired = world.log.next(({ event }) => event === "worker_retired");
  world.gateway.drop(phone);
  await retired;
  hung.remove();
  await world.untilStatus("stubborn", "connected");
}, { only: "sqlite" });

scenario("the time of WhatsApp's last word is known for each session that has a socket", async (start) => {
  await using world = await start({
    ...IMPATIENT,
    socketSettings: { keepAliveMs: 200, silenceMs: 20_000 },
  });
  const linked = Date.now();
  const phone = await world.link("heard");
  await world.gateway.when("ping", { phone: phone.number, nth: 3 });
  const heardAt = world.service.sessions.heardAt("heard");
  assert.ok(heardAt !== null && heardAt >= linked, `${heardAt}`);
  assert.equal(world.service.sessions.heardAt("nobody"), null);
}, { only: "sqlite" });
