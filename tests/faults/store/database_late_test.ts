import assert from "node:assert/strict";
import { HoldingProxy } from "../../db/holding_proxy.ts";
import { DAY_MS, UNWATCHED } from "../../e2e/world.ts";
import { fault } from "../../../lab/hub.ts";
import { faultScenario, ownServer } from "./own_server.ts";

const server = await ownServer();

faultScenario(
  server,
  "a write that reaches the database after it has been repeated undoes nothing",
  async (start, server) => {
    const database = await server.database();
    const { proxy, url } = await HoldingProxy.before(database.url);
    await using _ = proxy;
    await using world = await start({
      // One connection, so that the write is prepared on it; and nothing else is sent as time goes by.
      databaseUrl: `${url}?pool=1`,
      supervision: { replica: UNWATCHED.replica, unlinker: { lookMs: DAY_MS } },
      storeBounds: { statementMs: 1_000, callMs: 1_000, controlMs: 1_000, patienceMs: 500 },
    });
    const phone = await world.link("told");
    assert.equal((await world.hub.disconnected("told", "TIMEOUT")).status, 200);
    await world.untilStatus("told", "connected");

    proxy.holdFrom("NETWORK"); // in the row that says so
    const stalled = world.untilStalled("told");
    assert.equal(fault(await world.hub.disconnected("told", "NETWORK")), "500 SESSION_MANAGER_ERROR");
    await stalled;
    assert.equal(fault(await world.hub.get("told")), "500 SESSION_MANAGER_ERROR");
    const back = world.gateway.when("online", { phone: phone.number });
    proxy.pass();
    await back;
    await world.untilStatus("told", "connected");
    const rows = () => server.run("select * from ll_whatsapp_qr_sessions", database.name);
    const before = await rows();
    assert.equal(before[0]?.["status"], "connected");

    assert.equal(await proxy.deliver(), 1);
    assert.deepEqual(await rows(), before);
    assert.equal(phone.devices[0]?.logins, 3);
    assert.equal(world.gateway.stats.overlaps, 0);
  },
);
