import assert from "node:assert/strict";
import { RefusingProxy } from "../../db/refusing_proxy.ts";
import type { SessionView } from "@session-manager/contract";
import type { World, WorldOptions } from "../../e2e/world.ts";
import { startGateway } from "../../../lab/simulator/mod.ts";
import { faultScenario, ownServer } from "./own_server.ts";

const server = await ownServer();

/** Presences that are soon given up. */
const BRIEF: WorldOptions["supervision"] = {
  replica: { ttlMs: 3_000, renewMs: 100, marginMs: 1_500, snapshotMs: 100, commandMs: 20 },
};

/** A list of what servers, routers, proxies and clusters say; the last two are in no list of ours. */
const ERRNOS = [1045, 1047, 1142, 1180, 2003, 3032, 3100, 3101, 3118, 3159, 4151, 9001, 65_000];

faultScenario(
  server,
  "no error of the server ends a replica: sockets are closed in good time, and come back by themselves",
  async (start, server) => {
    await using gateway = await startGateway();
    const { url, drop } = await server.database();
    const { proxy, url: through } = await RefusingProxy.before(url);
    try {
      await using first = await start({ gateway, databaseUrl: through, supervision: BRIEF });
      await using second = await start({ gateway, databaseUrl: through, supervision: BRIEF });
      const worlds = [first, second];
      const names = ["a", "b", "c"];
      for (const [i, name] of names.entries()) await [first, second][i % 2]!.link(name);
      for (const [round, errno] of ERRNOS.entries()) {
        proxy.refuse({ errno, of: "everything" });
        // As a server does that goes offline, and in other rounds as one that leaves its clients where they are.
        if (round % 2 === 0) proxy.throwOut({ errno: 3169, sqlState: "HY000" });
        // A busy machine may have had it let go of its sessions by itself already.
        while (gateway.connections.length > 0) await turn();
        proxy.permit();
        for (const name of names) await untilConnected(worlds, name);
      }
      assert.equal(gateway.stats.overlaps, 0);
      const told = worlds.flatMap(({ log }) => log.lines).filter(({ event }) =>
        event === "replica_not_renewed"
      );
      assert.ok(told.some(({ err }) => ERRNOS.includes(errnoOf(err) as number)));
      for (const { log } of worlds) {
        assert.deepEqual(log.lines.filter(({ event }) => event === "replica_failed"), []);
      }
    } finally {
      await proxy[Symbol.asyncDispose]();
      await drop();
    }
  },
);

faultScenario(
  server,
  "a start waits for a database that it can open and not be present in yet",
  async (start, server) => {
    const { url, drop } = await server.database();
    await using world = await start({ databaseUrl: url });
    await world[Symbol.asyncDispose](); // the tables are there
    const { proxy, url: through } = await RefusingProxy.before(url);
    try {
      proxy.refuse({ errno: 3032, of: "statements", text: /insert into `?ll_whatsapp_replicas/ });
      const starting = start({ databaseUrl: through, storePausesMs: Array<number>(10_000).fill(10) });
      while (proxy.refused < 2) await turn();
      proxy.permit();
      await using late = await starting;
      await late.link("late");
    } finally {
      await proxy[Symbol.asyncDispose]();
      await drop();
    }
  },
);

faultScenario(
  server,
  "a replica whose account is locked waits for it to be unlocked, and has lost nothing",
  async (start, server) => {
    await using gateway = await startGateway();
    const { url, name, drop } = await server.database();
    try {
      await server.run("create user 'app'@'%' identified by 'x'");
      await server.run("create user 'app'@'localhost' identified by 'x'");
      await server.run(`grant all on ${name}.* to 'app'@'%'`);
      await server.run(`grant all on ${name}.* to 'app'@'localhost'`);
      const databaseUrl = url.replace("//root:@", "//app:x@").replace("//root@", "//app:x@");
      await using world = await start({ gateway, databaseUrl, supervision: BRIEF });
      const phone = await world.link("sender_1");
      const fenced = world.log.next(({ event }) => event === "replica_fenced");
      const told = world.log.next(({ event, err }) =>
        // MySQL's number, and MariaDB's.
        event === "replica_not_renewed" && [3118, 4151].includes(errnoOf(err) as number)
      );
      for (const host of ["%", "localhost"]) await server.run(`alter user 'app'@'${host}' account lock`);
      for (
        const { id } of await server.run("select id from information_schema.processlist where user = 'app'")
      ) {
        await server.run(`kill ${id}`).catch(() => {}); // it has ended by itself
      }
      await told;
      await fenced;
      const back = gateway.when("online", { phone: phone.number });
      for (const host of ["%", "localhost"]) await server.run(`alter user 'app'@'${host}' account unlock`);
      await back;
      await world.untilStatus("sender_1", "connected");
      assert.equal(gateway.stats.overlaps, 0);
    } finally {
      await server.run("drop user if exists 'app'@'%', 'app'@'localhost'");
      await drop();
    }
  },
);

/** Until both say so, whichever of them it is that acts for the session. */
async function untilConnected(worlds: readonly World[], name: string): Promise<void> {
  for (const { hub } of worlds) {
    for (;;) {
      const { status, body } = await hub.get(name);
      if (status === 200 && (body as SessionView).status === "connected") break;
      await turn();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function errnoOf(error: unknown): unknown {
  return ((error as Error | undefined)?.cause as { errno?: unknown } | undefined)?.errno;
}
