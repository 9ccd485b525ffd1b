import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fault } from "../../../lab/hub.ts";
import { scenario } from "../../e2e/world.ts";

scenario(
  "changes wait, and reading goes on, when another program has the SQLite file locked",
  async (start) => {
    await using world = await start({ socketSettings: { connectMs: 60_000 } });
    const { gateway, hub } = world;
    gateway.faults.add({ do: "http-status", status: 503, times: 1 });
    await hub.requestQr("idle");
    const phone = await world.link("dropped");
    const { qr_string } = await hub.qr("scanned");
    const stalled = ["dropped", "scanned"].map((id) => world.untilStalled(id));

    const other = new DatabaseSync(world.config.databaseUrl.slice("sqlite:".length));
    try {
      other.exec("begin immediate");
      gateway.drop(phone);
      const scanner = gateway.phone();
      const scanned = scanner.scan(qr_string);
      await Promise.all(stalled);
      for (const id of ["dropped", "scanned"]) {
        assert.equal(
          fault(await hub.get(id)),
          "500 SESSION_MANAGER_ERROR",
        );
      }
      assert.equal((await hub.session("idle")).status, "init");
      const refused = await hub.requestQr("new");
      assert.equal(fault(refused), "500 QR_GENERATION_FAILED");
      assert.notEqual(refused.headers.get("retry-after"), null);
      assert.equal(scanner.devices.length, 0, "WhatsApp knows of no device whose login is not durable");
      other.exec("commit");

      assert.equal((await scanned).outcome, "paired");
      for (const id of ["dropped", "scanned"]) await world.untilStatus(id, "connected");
      assert.deepEqual([phone.devices[0]?.logins, scanner.devices[0]?.logins], [2, 1]);
      assert.equal(gateway.stats.overlaps, 0);
      assert.equal((await hub.requestQr("new")).status, 200);
      const rows = await world.rows(
        "select instance_id as id, status from ll_whatsapp_qr_sessions order by instance_id",
      );
      assert.deepEqual(rows.map(({ id, status }) => `${id} ${status}`), [
        "dropped connected",
        "idle init",
        "new qr_required",
        "scanned connected",
      ]);
    } finally {
      other.close();
    }
  },
  { only: "sqlite" },
);
