import assert from "node:assert/strict";
import type { TestSession } from "../../../lab/databases/server.ts";
import { DAY_MS, UNWATCHED } from "../../e2e/world.ts";
import { faultScenario, ownServer } from "./own_server.ts";

const server = await ownServer();

/** How often the server was sent each kind of statement so far. */
async function counters(observer: TestSession): Promise<Map<string, number>> {
  const rows = await observer.run(
    "show global status where Variable_name in ('Com_select', 'Com_insert', 'Com_update', 'Com_delete', " +
      "'Com_begin', 'Com_commit', 'Com_rollback')",
  );
  return new Map(rows.map((row) => [String(row["Variable_name"]).slice(4), Number(row["Value"])]));
}

async function cost(observer: TestSession, work: () => Promise<unknown>): Promise<Map<string, number>> {
  const before = await counters(observer);
  await work();
  const after = await counters(observer);
  return new Map([...after].map(([name, value]) => [name, value - before.get(name)!]));
}

const total = (costs: ReadonlyMap<string, number>) => [...costs.values()].reduce((sum, one) => sum + one, 0);

faultScenario(
  server,
  "the database is sent few statements when a number is linked and when it logs in again",
  async (start, server) => {
    // What is sent as time goes by is not counted.
    await using world = await start({
      supervision: { replica: UNWATCHED.replica, unlinker: { lookMs: DAY_MS } },
    });
    await using observer = await server.session();
    await world.link("first"); // and with it whatever is done once
    const phone = world.gateway.phone();
    const pairing = await cost(observer, () => world.link("counted", phone));
    const login = await cost(observer, async () => {
      const back = world.gateway.when("online", { phone: phone.number });
      world.gateway.drop(phone);
      await back;
      await world.untilStatus("counted", "connected");
    });
    assert.ok(total(pairing) <= 32, `a pairing cost ${JSON.stringify([...pairing])}`);
    assert.ok(total(login) <= 20, `a login cost ${JSON.stringify([...login])}`);
  },
);
