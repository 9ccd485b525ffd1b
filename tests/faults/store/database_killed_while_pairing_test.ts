import assert from "node:assert/strict";
import { faultScenario, ownServer, PATIENT } from "./own_server.ts";

const server = await ownServer();
const IDS = Array.from({ length: 6 }, (_, n) => `sender_${n}`);

// Each time a little further into the pairings: the first that a phone has signed, the fourth, the first that
// has logged in.
for (const [kind, nth] of [["paired", 1], ["paired", 4], ["login", 1]] as const) {
  faultScenario(
    server,
    `six numbers are linked, each once, when the database is killed at ${kind} ${nth} of their pairings`,
    async (start, server) => {
      await using world = await start(PATIENT);
      const { gateway, hub } = world;
      const pairs = await Promise.all(
        IDS.map(async (id) => ({ id, phone: gateway.phone(), ...await hub.qr(id) })),
      );
      const reached = gateway.when(kind, { nth });
      const scans = pairs.map(({ phone, qr_string }) => phone.scan(qr_string));
      await reached;
      await server.kill9();
      await server.restart();
      for (const { outcome } of await Promise.all(scans)) assert.equal(outcome, "paired");
      for (const id of IDS) await world.untilStatus(id, "connected");
      assert.equal(gateway.stats.pairings, IDS.length);
      assert.equal(gateway.stats.overlaps, 0);
      const rows = await world.rows(
        "select s.instance_id as id, s.phone_number as phone from ll_whatsapp_qr_sessions s join ll_whatsapp_links l " +
          "on l.instance_id = s.instance_id where s.status = 'connected' and l.standing = 'working' order by s.id",
      );
      assert.deepEqual(
        new Map(rows.map(({ id, phone }) => [id, phone])),
        new Map(pairs.map(({ id, phone }) => [id, phone.number])),
      );
      // The logins that were written are whole: with them alone, everybody comes back.
      await world.stopService();
      await using next = await start({ gateway, databaseUrl: world.config.databaseUrl });
      for (const id of IDS) await next.untilStatus(id, "connected");
      for (const { phone } of pairs) assert.equal(phone.devices.length, 1);
      assert.equal(gateway.stats.overlaps, 0);
    },
  );
}
