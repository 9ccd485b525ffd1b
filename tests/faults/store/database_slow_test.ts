import assert from "node:assert/strict";
import { fault } from "../../../lab/hub.ts";
import { globalStatus, untilLockWait } from "../../../lab/databases/server.ts";
import { faultScenario, ownServer, PATIENT } from "./own_server.ts";

const server = await ownServer();

faultScenario(
  server,
  "a change waits for its row, and nothing is lost, when another connection holds a lock on it",
  async (start, server) => {
    await using world = await start();
    const phone = await world.link("held");
    const name = new URL(world.config.databaseUrl).pathname.slice(1);
    await using other = await server.session(name);
    // At the server's default it would lock the gaps between its neighbours as well, where new rows go.
    await other.run("set session transaction isolation level read committed");
    await other.run("begin; select * from ll_whatsapp_qr_sessions where instance_id = 'held' for update");
    world.gateway.drop(phone);
    await untilLockWait(server);
    // Neighbours are not concerned.
    const neighbour = await world.link("free");
    assert.equal(phone.devices[0]?.online, false);
    const back = world.gateway.when("online", { phone: phone.number, timeoutMs: 120_000 });
    await other.run("commit");
    await back;
    await world.untilStatus("held", "connected");
    assert.deepEqual([phone.devices[0]?.logins, neighbour.devices[0]?.logins], [2, 1]);

    // A call waits too, if not as long as what nobody waits for.
    await other.run("begin; select * from ll_whatsapp_qr_sessions where instance_id = 'held' for update");
    const before = await globalStatus(server, "Com_select");
    const told = world.hub.disconnected("held", "TIMEOUT");
    // It need not wait at the server: it may ask again and again.
    while (await globalStatus(server, "Com_select") < before + 3) { /* look again */ }
    await other.run("commit");
    assert.equal((await told).status, 200);
    await world.untilStatus("held", "connected");
    assert.deepEqual([phone.devices[0]?.logins, neighbour.devices[0]?.logins], [3, 1]);
    assert.equal(world.gateway.stats.overlaps, 0);
  },
);

faultScenario(
  server,
  "every call is answered, and nothing is lost, when the database is silent for a moment",
  async (start, server) => {
    await using world = await start(PATIENT);
    const { gateway, hub } = world;
    const phone = await world.link("here");
    const { qr_string } = await hub.qr("scanned");
    await hub.qr("shown");
    const shown = await hub.session("shown");

    await server.pause();
    const cut = gateway.when("closed", { phone: phone.number });
    gateway.drop(phone);
    const scanner = gateway.phone();
    const scanned = scanner.scan(qr_string);
    const answers = Promise.all([
      hub.get("nobody"),
      hub.requestQr("new"),
      hub.disconnected("nobody", "NETWORK"),
    ]);
    await cut;
    assert.deepEqual(await hub.session("shown"), shown, "what is in memory needs no database");
    server.resume();
    assert.equal((await scanned).outcome, "paired");

    const [read, qr, event] = await answers;
    assert.equal(fault(read), "404 SESSION_NOT_FOUND");
    assert.equal(qr.status, 200);
    assert.equal(fault(event), "404 SESSION_NOT_FOUND");
    for (const id of ["here", "scanned"]) await world.untilStatus(id, "connected");
    assert.deepEqual([phone.devices[0]?.logins, scanner.devices[0]?.logins], [2, 1]);
    assert.equal(gateway.stats.overlaps, 0);
    const rows = await world.rows("select status from ll_whatsapp_qr_sessions where status = 'connected'");
    assert.equal(rows.length, 2);
  },
);
