/**
 * A worker that says what cannot be costs its own sockets a connection, and nobody else anything.
 */
import assert from "node:assert/strict";
import { QUICK_LINKS } from "../e2e/scenarios.ts";
import { scenario, type WorldOptions } from "../e2e/world.ts";
import { lie, SABOTEUR } from "../../lab/sabotage/sabotage.ts";

const TWO_WORKERS: WorldOptions = {
  ...QUICK_LINKS,
  environment: { SOCKET_WORKERS: "2" },
  supervision: { workerScript: SABOTEUR },
};

/** Each ended the service while workers were believed, or wedged a session; by what is said of them. */
const LIES: Readonly<Record<string, (socket: number) => unknown>> = {
  "nothing at all": () => null,
  "an end that there is not": (socket) => ({ type: "closed", socket, cause: { origin: "nobody" } }),
  "a key that cannot be kept": (socket) => ({
    type: "save",
    socket,
    request: 1_000_000,
    keys: [{ type: "session", id: "x".repeat(256), value: "x" }],
  }),
  "the end of another worker's socket": () => ({
    type: "closed",
    socket: 2,
    cause: { origin: "client", code: 0 },
  }),
};

for (const [what, lieOf] of Object.entries(LIES)) {
  scenario(`a worker that tells of ${what} is replaced, and other sessions notice nothing`, async (start) => {
    await using world = await start(TWO_WORKERS);
    const { gateway, hub, log } = world;
    // Sockets 1 and 2 pair and log in the first session, 3 and 4 the second.
    const [one, two] = [await world.link("one"), await world.link("two")];
    assert.deepEqual(world.service.socketLoad(), [1, 1]);
    const lost = log.next(({ event }) => event === "worker_lost");
    const dropped = log.next(({ instance_id, status }) => instance_id === "two" && status === "disconnected");
    const back = gateway.when("online", { phone: two.number });
    lie(lieOf(4), 4);
    const { end, sockets, detail } = await lost;
    assert.deepEqual({ end, sockets }, { end: "misbehaved", sockets: 1 });
    assert.match(String(detail), /^[a-z]+: [a-z ]+$/);
    await dropped;
    assert.equal((await hub.session("one")).status, "connected");
    await back;
    await world.untilStatus("two", "connected");
    assert.deepEqual([one.devices[0]?.logins, two.devices[0]?.logins], [1, 2]);
    assert.equal(gateway.stats.overlaps, 0);
  }, { only: "sqlite" });
}
