/**
 * A worker that sends what cannot be costs its own sockets a connection, and no other session anything.
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

/** Each ended the service, or blocked a session, while workers were believed. */
const LIES: Readonly<Record<string, (socket: number) => unknown>> = {
  "nothing at all": () => null,
  "an end that there is not": (socket) => closed(socket, "unknown"),
  "a key that cannot be stored": (socket) => ({
    type: "request",
    socket,
    id: 1_000_000,
    request: { type: "save_keys", keys: [{ type: "session", id: "x".repeat(256), value: "x" }] },
  }),
  "the end of another worker's socket": () => closed(2, "client"),
  "an answer to a request that was never made": () => ({
    type: "answer",
    id: 1_000_000,
    answer: { type: "stop" },
  }),
};

const closed = (socket: number, origin: string) => ({
  type: "event",
  socket,
  event: { type: "closed", cause: { origin, code: 0 } },
  at: 0,
  now: 0,
});

for (const [what, lieOf] of Object.entries(LIES)) {
  scenario(
    `WorkerPool replaces a worker that sends ${what}, and other sessions stay connected`,
    async (start) => {
      await using world = await start(TWO_WORKERS);
      const { gateway, hub, log } = world;
      // Sockets 1 and 2 pair and log in the first session, 3 and 4 the second.
      const [one, two] = [await world.link("one"), await world.link("two")];
      assert.deepEqual(world.service.socketLoad(), [1, 1]);
      const lost = log.next(({ event }) => event === "worker_lost");
      const dropped = log.next(({ instance_id, status }) =>
        instance_id === "two" && status === "disconnected"
      );
      const back = gateway.when("online", { phone: two.number });
      lie(lieOf(4), 4);
      const { end, sockets, detail } = await lost;
      assert.deepEqual({ end, sockets }, { end: "misbehaved", sockets: 1 });
      assert.match(String(detail), /^[a-z_]+: [a-z ]+$/);
      await dropped;
      assert.equal((await hub.session("one")).status, "connected");
      await back;
      await world.untilStatus("two", "connected");
      assert.deepEqual([one.devices[0]?.logins, two.devices[0]?.logins], [1, 2]);
      assert.equal(gateway.stats.overlaps, 0);
    },
    { only: "sqlite" },
  );
}
