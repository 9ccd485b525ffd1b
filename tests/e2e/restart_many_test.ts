import assert from "node:assert/strict";
import type { Gateway } from "../../lab/simulator/mod.ts";
import { QUICK_LINKS } from "./scenarios.ts";
import { scenario, type World } from "./world.ts";

const LINKED = Array.from({ length: 20 }, (_, n) => `linked_${n}`);
/** How many may log in at the same time; less than there are, so that some have to wait. */
const BOUND = 4;

/** The most logins that were under way at once: from a connection's arrival until it has asked all it asks. */
function watchLogins(gateway: Gateway): () => number {
  const underWay = new Set<number>();
  let most = 0;
  gateway.on(({ kind, connection }) => {
    if (kind === "handshake") underWay.add(connection);
    if (kind === "online" || kind === "closed") underWay.delete(connection);
    most = Math.max(most, underWay.size);
  });
  return () => most;
}

/** Sessions of every kind that has no login to come back with. */
async function leaveOthers(world: World): Promise<void> {
  const { hub, gateway } = world;
  await world.link("logged_out");
  assert.equal((await hub.disconnected("logged_out", "LOGOUT")).status, 200);
  const told = await world.link("elsewhere");
  const replaced = world.untilStatus("elsewhere", "error");
  gateway.streamError(told, { child: "conflict", attrs: { type: "replaced" } });
  await replaced;
  gateway.faults.add({ do: "http-status", status: 503, times: 1 });
  await hub.requestQr("never_shown");
  await hub.qr("reported");
  const closed = gateway.when("closed");
  assert.equal((await hub.connected("reported", "+5491155550000")).status, 200);
  await closed;
  await hub.qr("shown");
}

scenario(
  "a start brings twenty links back a few at a time, and opens no socket for the others",
  async (start) => {
    await using before = await start({ ...QUICK_LINKS, environment: { SOCKET_WORKERS: "2" } });
    const { gateway } = before;
    const phones = [];
    for (const ids of Array.from({ length: 4 }, (_, n) => LINKED.slice(n * 5, n * 5 + 5))) {
      phones.push(...await Promise.all(ids.map((id) => before.link(id))));
    }
    await leaveOthers(before);
    const others = ["logged_out", "elsewhere", "never_shown", "reported", "shown"];
    const left = new Map(
      await Promise.all(others.map(async (id) => [id, await before.hub.session(id)] as const)),
    );
    await before.stopService();

    const opened = gateway.stats.connectionsOpened;
    const most = watchLogins(gateway);
    // As many as may log in at the same time are held there, and meanwhile no other comes.
    const held = Promise.withResolvers<void>();
    gateway.faults.add({ do: "hold", stage: "success", kind: "login", until: held.promise });
    const full = gateway.when("handshake", { nth: BOUND });
    await using after = await start({
      gateway,
      databaseUrl: before.config.databaseUrl,
      environment: { SOCKET_WORKERS: "2" },
      supervision: { logins: { concurrent: BOUND, perSecond: 1_000 } },
    });
    await full;
    for (const id of LINKED) assert.equal((await after.hub.session(id)).status, "connecting");
    held.resolve();
    for (const id of LINKED) await after.untilStatus(id, "connected");
    assert.equal(most(), BOUND);
    assert.equal(gateway.stats.connectionsOpened, opened + LINKED.length);
    for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
    assert.equal(gateway.stats.overlaps, 0);
    assert.deepEqual(after.service.socketLoad(), [10, 10]);

    for (const id of others) {
      const now = await after.hub.session(id);
      if (id !== "shown") assert.deepEqual(now, left.get(id));
      else assert.deepEqual(now, { ...left.get(id), qr_status: "expired", qr_string: null });
    }
  },
);
