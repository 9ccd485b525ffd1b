import assert from "node:assert/strict";
import type { TestServer, TestSession } from "../../../lab/databases/server.ts";
import { countDeadlocks, untilLockWait } from "../../../lab/databases/server.ts";
import { DAY_MS } from "../../e2e/world.ts";
import { SkippingClock } from "../../../lab/clocks/skipping_clock.ts";
import { faultScenario, ownServer } from "./own_server.ts";

const server = await ownServer();
const IDS = Array.from({ length: 6 }, (_, n) => `sender_${n}`);

/** Takes every connection that is left. */
async function crowd(server: TestServer, others: TestSession[]): Promise<void> {
  try {
    for (;;) others.push(await server.session());
  } catch (error) {
    assert.equal((error as { errno?: number }).errno, 1040);
  }
}

/** How many connections the server has refused for want of room. */
async function refusals(session: TestSession | undefined): Promise<number> {
  const [row] = await session!.run("show global status like 'Connection_errors_max_connections'");
  return Number(row?.["Value"]);
}

faultScenario(
  server,
  "six numbers are linked in the end when the database takes one connection more and no other",
  async (start, server) => {
    await using world = await start();
    const pairs = await Promise.all(
      IDS.map(async (id) => ({ phone: world.gateway.phone(), ...await world.hub.qr(id) })),
    );
    const name = new URL(world.config.databaseUrl).pathname.slice(1);
    await server.run("set global max_connections = 10");
    const others: TestSession[] = [];
    try {
      await crowd(server, others);
      const taken = await others[0]!.run(
        `select id from information_schema.processlist where db = '${name}'`,
      );
      for (const { id } of taken) {
        // One that has just ended by itself is unknown.
        await others[0]!.run(`kill ${id}`).catch(({ errno }) => assert.equal(errno, 1094));
      }
      await crowd(server, others);
      const before = await refusals(others[0]);
      await others.pop()![Symbol.asyncDispose]();

      const scans = await Promise.all(pairs.map(({ phone, qr_string }) => phone.scan(qr_string)));
      for (const { outcome } of scans) assert.equal(outcome, "paired");
      for (const id of IDS) await world.untilStatus(id, "connected");
      assert.ok(await refusals(others[0]) > before, "nobody was refused");
    } finally {
      await others[0]?.run("set global max_connections = 151");
      for (const other of others) await other[Symbol.asyncDispose]();
    }
    assert.equal(world.gateway.stats.pairings, IDS.length);
    assert.equal(world.gateway.stats.overlaps, 0);
  },
);

faultScenario(
  server,
  "three numbers are linked again in the end when their pairings are the victims of a deadlock",
  async (start, server) => {
    // They stay where they are until they are paired again.
    await using world = await start({
      policy: { backoff: { baseMs: DAY_MS, quickMs: DAY_MS, capMs: DAY_MS } },
      supervision: { clock: new SkippingClock(() => 0.99) },
    });
    const ids = IDS.slice(0, 3);
    for (const id of ids) {
      const phone = await world.link(id);
      const gone = world.untilStatus(id, "disconnected");
      world.gateway.drop(phone);
      await gone;
    }
    const scans = await Promise.all(
      ids.map(async (id) => ({ phone: world.gateway.phone(), ...await world.hub.qr(id) })),
    );

    // The server rolls back whoever has changed less; a pairing writes the session before the link.
    const name = new URL(world.config.databaseUrl).pathname.slice(1);
    await using other = await server.session(name);
    await other.run("create table weight (a int) engine = InnoDB");
    await other.run(
      `begin; insert into weight values ${Array.from({ length: 5_000 }, (_, n) => `(${n})`).join()}`,
    );
    await other.run("select * from ll_whatsapp_links for update");
    const before = await countDeadlocks(server);
    const scanned = Promise.all(scans.map(({ phone, qr_string }) => phone.scan(qr_string)));
    await untilLockWait(server);
    await other.run("update ll_whatsapp_qr_sessions set phone_number = '+7654321'");
    await other.run("commit");

    for (const { outcome } of await scanned) assert.equal(outcome, "paired");
    for (const id of ids) await world.untilStatus(id, "connected");
    assert.ok(await countDeadlocks(server) > before);
    const rows = await world.rows(
      "select phone_number as phone from ll_whatsapp_qr_sessions order by instance_id",
    );
    assert.deepEqual(rows.map((row) => row.phone), scans.map(({ phone }) => phone.number));
    assert.equal(world.gateway.stats.overlaps, 0);
  },
);
