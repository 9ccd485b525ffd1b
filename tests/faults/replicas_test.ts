import assert from "node:assert/strict";
import { startGateway } from "../../lab/simulator/mod.ts";
import { scenario } from "../e2e/world.ts";

/** Presences that outlast every delay of a busy machine; what is looked at again and again is looked at often. */
const BRISK = { ttlMs: 240_000, renewMs: 200, marginMs: 120_000, snapshotMs: 100, commandMs: 20 };

scenario("a replica that stops hands over every link, and another takes them up at once", async (start) => {
  await using gateway = await startGateway();
  const first = await start({ gateway, supervision: { replica: BRISK } });
  const names = Array.from({ length: 6 }, (_, i) => `sender_${i}`);
  await Promise.all(names.map((name) => first.link(name)));
  const { databaseUrl } = first.config;
  await using second = await start({ gateway, databaseUrl, supervision: { replica: BRISK } });
  await first.stopService();
  await Promise.all(names.map((name) => second.untilStatus(name, "connected")));
  assert.deepEqual(await second.rows("select * from ll_whatsapp_leases where resting = 1"), []);
  assert.equal(gateway.stats.overlaps, 0);
}, { only: "mysql" });

scenario("any replica answers any call, and has the owner do what only the owner may", async (start) => {
  await using gateway = await startGateway();
  await using owner = await start({ gateway, supervision: { replica: BRISK } });
  const { databaseUrl } = owner.config;
  await using other = await start({ gateway, databaseUrl, supervision: { replica: BRISK } });
  const qr = await owner.hub.qr("sender_1");
  assert.deepEqual(await other.hub.qr("sender_1"), qr);
  assert.deepEqual(await other.hub.session("sender_1"), await owner.hub.session("sender_1"));
  assert.equal(gateway.stats.registrations, 1);

  const phone = gateway.phone();
  assert.equal((await phone.scan(qr.qr_string)).outcome, "paired");
  await owner.untilStatus("sender_1", "connected");
  assert.equal((await other.hub.requestQr("sender_1")).status, 409);
  const unlinked = gateway.when("logout", { phone: phone.number });
  const reported = await other.hub.disconnected("sender_1", "LOGOUT");
  assert.equal(reported.status, 200);
  assert.deepEqual(reported.body, await owner.hub.session("sender_1"));
  assert.equal((reported.body as { status: string }).status, "disconnected");
  await unlinked;
  assert.equal((await other.hub.connected("nobody", "+5491155550001")).status, 404);
}, { only: "mysql" });

scenario(
  "a replica whose presence others have ended lets go before it comes back, and no write of it gets through",
  async (start) => {
    await using world = await start({ supervision: { replica: BRISK } });
    const phone = await world.link("sender_1");
    const [before] = await world.rows("select epoch from ll_whatsapp_leases");
    const fenced = world.log.next(({ event }) => event === "replica_fenced");
    const back = world.gateway.when("online", { phone: phone.number });
    await world.rows("delete from ll_whatsapp_replicas");
    await fenced;
    await back;
    await world.untilStatus("sender_1", "connected");
    const [after] = await world.rows("select epoch from ll_whatsapp_leases");
    assert.ok(after.epoch > before.epoch);
    assert.equal(world.gateway.stats.overlaps, 0);
  },
  { only: "mysql" },
);

scenario(
  "commands that nobody took back are removed while a replica runs, and not only when one joins",
  async (start) => {
    await using world = await start({ supervision: { replica: { ...BRISK, tidyMs: 20 } } });
    const age = (interval: string) =>
      "insert into ll_whatsapp_errands (replica_id, instance_id, errand, created_at) " +
      `values (uuid(), 'gone', '{}', utc_timestamp(3) ${interval})`;
    await world.rows(age("- interval 1 day"));
    await world.rows(age("+ interval 1 day")); // the clock was wrong
    await world.rows(age(""));
    const left = async () => Number((await world.rows("select count(*) as n from ll_whatsapp_errands"))[0].n);
    while (await left() > 1) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(await left(), 1);
  },
  { only: "mysql" },
);
