import assert from "node:assert/strict";
import type { SessionView } from "@session-manager/contract";
import { type Answer, fault } from "../../../lab/hub.ts";
import { faultScenario, ownServer, PATIENT } from "./own_server.ts";
import type { World } from "../../e2e/world.ts";

const server = await ownServer();

/** What a call is answered that needs the database: the code, and when it is worth repeating. */
function unavailable(answer: Answer, expected: string): void {
  assert.equal(fault(answer), `500 ${expected}`);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

/** The statuses that a session goes through from now on, as they are announced: none left out, none twice. */
function watch(world: World, instanceId: string): string[] {
  const seen: string[] = [];
  world.service.sessions.onChange(({ before, after: { session } }) => {
    if (session.instanceId === instanceId && session !== before.session) seen.push(session.status);
  });
  return seen;
}

/** A session that is known and for which nothing is going on. */
async function rest(world: World, instanceId: string): Promise<void> {
  world.gateway.faults.add({ do: "http-status", status: 503, times: 1 });
  assert.equal(fault(await world.hub.requestQr(instanceId)), "500 QR_GENERATION_FAILED");
}

faultScenario(
  server,
  "true states are answered from memory and all else is 500 at once when the database is gone",
  async (start, server) => {
    // Nobody waits for a QR that cannot come: who did would be answered after ten minutes, and not be told to come again.
    await using world = await start({ environment: { QR_WAIT_MS: "600000" } });
    const { hub, gateway } = world;
    await rest(world, "idle");
    const phone = await world.link("linked");
    const shown = await hub.qr("shown");
    const before = await hub.session("shown");
    await server.kill9();

    assert.equal((await hub.session("linked")).status, "connected");
    assert.equal(fault(await hub.requestQr("linked")), "409 SESSION_ALREADY_CONNECTED");
    assert.deepEqual(await hub.session("shown"), before);
    assert.deepEqual(await hub.qr("shown"), shown);
    for (const id of ["idle", "nobody"]) {
      unavailable(await hub.get(id), "SESSION_MANAGER_ERROR");
      unavailable(await hub.requestQr(id), "QR_GENERATION_FAILED");
      unavailable(await hub.connected(id, "+5491155550000"), "SESSION_MANAGER_ERROR");
      unavailable(await hub.disconnected(id, "LOGOUT"), "SESSION_MANAGER_ERROR");
    }
    assert.equal(phone.devices[0]?.online, true);
    assert.equal(phone.devices[0]?.logins, 1);
    assert.equal(gateway.connections.length, 2);

    await server.restart();
    assert.equal((await hub.session("idle")).status, "init");
    assert.equal(fault(await hub.get("nobody")), "404 SESSION_NOT_FOUND");
    await hub.qr("idle");
    assert.deepEqual(await hub.qr("shown"), shown);
  },
);

faultScenario(
  server,
  "whatever happens while the database is gone waits, and is written in order once it is back",
  async (start, server) => {
    await using world = await start(PATIENT);
    const { hub, gateway } = world;
    const dropped = await world.link("dropped");
    const unlinked = await world.link("unlinked");
    const told = await world.link("told");
    const gone = await world.link("gone");
    const { qr_string } = await hub.qr("scanned");
    const ids = ["dropped", "unlinked", "told", "gone", "scanned"];
    const seen = new Map(ids.map((id) => [id, watch(world, id)]));
    const stalled = ids.map((id) => world.untilStalled(id));
    await server.kill9();

    gateway.drop(dropped);
    await unlinked.unlink();
    const scanner = gateway.phone();
    const scanned = scanner.scan(qr_string);
    unavailable(await hub.disconnected("told", "NETWORK"), "SESSION_MANAGER_ERROR");
    unavailable(await hub.disconnected("gone", "LOGOUT"), "SESSION_MANAGER_ERROR");
    await Promise.all(stalled);
    for (const id of ids) {
      unavailable(await hub.get(id), "SESSION_MANAGER_ERROR");
      unavailable(await hub.requestQr(id), "QR_GENERATION_FAILED");
      assert.deepEqual(seen.get(id), []);
    }

    assert.equal(scanner.devices.length, 0, "WhatsApp knows of no device whose login is not durable");
    await server.restart();
    assert.equal((await scanned).outcome, "paired");
    for (const id of ["dropped", "told", "scanned"]) await world.untilStatus(id, "connected");
    for (const id of ["unlinked", "gone"]) await world.untilStatus(id, "disconnected");
    assert.deepEqual(Object.fromEntries(seen), {
      dropped: ["disconnected", "connecting", "connected"],
      told: ["disconnected", "connecting", "connected"],
      scanned: ["connecting", "connected"],
      unlinked: ["disconnected"],
      gone: ["disconnected"],
    });
    assert.deepEqual(
      await world.rows(
        "select s.instance_id as id, s.status, s.qr_status as qr, s.last_error_code as code, s.phone_number as phone, " +
          "l.standing as link, (select count(*) from ll_whatsapp_credentials c where c.instance_id = s.instance_id " +
          "and c.kind = 'creds') as logins from ll_whatsapp_qr_sessions s " +
          "left join ll_whatsapp_links l on l.instance_id = s.instance_id order by s.instance_id",
      ),
      [
        row("dropped", "connected", "used", null, dropped.number, "working", 1),
        row("gone", "disconnected", "none", "LOGOUT", gone.number, null, 0),
        row("scanned", "connected", "used", null, scanner.number, "working", 1),
        row("told", "connected", "used", null, told.number, "working", 1),
        row("unlinked", "disconnected", "none", "LOGOUT", unlinked.number, null, 0),
      ],
    );
    const [orphan] = await world.rows(
      "select count(*) as n from ll_whatsapp_credentials where instance_id in ('gone', 'unlinked')",
    );
    assert.equal(orphan.n, 0);
    assert.deepEqual([dropped, told, scanner].map(({ devices }) => devices[0]?.logins), [2, 2, 1]);
    assert.equal(gone.devices.length, 0);
    assert.equal(gateway.stats.overlaps, 0);
    // What waited is durable: the next start has nothing else to go by.
    await world.stopService();
    await using next = await start({ gateway, databaseUrl: world.config.databaseUrl });
    for (const id of ["dropped", "told", "scanned"]) await next.untilStatus(id, "connected");
    assert.equal(gateway.stats.overlaps, 0);
  },
);

function row(
  id: string,
  status: SessionView["status"],
  qr: string,
  code: unknown,
  phone: string,
  link: unknown,
  logins: number,
) {
  return { id, status, qr, code, phone, link, logins };
}

faultScenario(
  server,
  "the service stops in time, and the link is kept, when the database is gone for good",
  async (start, server) => {
    const supervision = { replica: { ttlMs: 240_000, renewMs: 200, marginMs: 120_000, snapshotMs: 200 } };
    await using world = await start({ supervision });
    const phone = await world.link("kept");
    const back = world.gateway.when("login", { phone: phone.number });
    const stalled = world.untilStalled("kept");
    await server.kill9();
    world.gateway.drop(phone);
    await stalled;
    await world.stopService();
    await server.restart();
    await using next = await start({
      gateway: world.gateway,
      databaseUrl: world.config.databaseUrl,
      supervision,
    });
    const [left] = await next.rows(
      "select l.replica_id as id from ll_whatsapp_leases l join ll_whatsapp_replicas r on r.replica_id = l.replica_id " +
        "where l.instance_id = 'kept' and r.expires_at > utc_timestamp(3)",
    );
    // The presence that could not be ended runs out, by the database's clock.
    await next.rows(
      `update ll_whatsapp_replicas set expires_at = utc_timestamp(3) where replica_id = '${left.id}'`,
    );
    await back;
    await next.untilStatus("kept", "connected");
    assert.equal(phone.devices[0]?.logins, 2);
  },
);
