import assert from "node:assert/strict";
import { query } from "../../lab/databases/helpers.ts";
import { scenario, type World } from "./world.ts";

/** Writes into the contract's table behind the service's back, as another system would. */
async function tamper(world: World, instanceId: string, columns: string): Promise<void> {
  await query(
    world.config.databaseUrl,
    `update ll_whatsapp_qr_sessions set ${columns} where instance_id = '${instanceId}'`,
  );
}

const again = (world: World) => ({ gateway: world.gateway, databaseUrl: world.config.databaseUrl });
const KEY = { environment: { CREDENTIALS_KEY: btoa("k".repeat(32)) } };

scenario("a row of another system's stops no start and is named once, and a QR mends it", async (start) => {
  await using before = await start(KEY);
  for (const name of ["nobodys", "good"]) await before.hub.qr(name);
  await before.stopService();
  const at = "'2026-01-04 12:34:56'";
  for (
    const row of [
      "'asleep', 'asleep', 'none'",
      "'Loud', 'disconnected', 'USED'",
      "'not valid', 'connecting', 'none'",
    ]
  ) {
    await query(
      before.config.databaseUrl,
      "insert into ll_whatsapp_qr_sessions (instance_id, status, qr_status, created_at, updated_at) " +
        `values (${row}, ${at}, ${at})`,
    );
  }

  await using after = await start({ ...again(before), ...KEY });
  const named = after.log.lines.filter(({ event }) => event === "foreign_row");
  assert.deepEqual(
    named.map(({ instance_id, column }) => `${instance_id}: ${column}`).sort(),
    ["Loud: qr_status", "asleep: status", "not valid: instance_id"],
  );
  await after.until("good", ({ status, qr_status }) => status === "qr_required" && qr_status === "expired");
  for (const [name, column] of [["asleep", "status"], ["Loud", "qr_status"]] as const) {
    const refused = await after.hub.get(name);
    assert.equal(refused.status, 500);
    assert.deepEqual(refused.body, {
      error: {
        code: "SESSION_MANAGER_ERROR",
        message:
          `The database holds a ${column} of this session that the contract does not know; ask for a QR to begin it anew.`,
      },
    });
    await after.hub.qr(name);
    assert.equal((await after.hub.session(name)).status, "qr_required");
  }
  // What is known of it without a QR: an event of the system's own brings it back as well.
  assert.equal((await after.hub.disconnected("nobodys", "UNKNOWN")).status, 200);
  await tamper(after, "nobodys", "status = 'paused'");
  assert.equal((await after.hub.disconnected("nobodys", "UNKNOWN")).status, 200);
  const [row] = await after.rows("select status from ll_whatsapp_qr_sessions where instance_id = 'nobodys'");
  assert.equal(row.status, "disconnected");
});

scenario("a login that works comes back at the start whatever its row says", async (start) => {
  await using before = await start(KEY);
  await before.link("linked");
  await before.stopService();
  await tamper(before, "linked", "status = 'paused', qr_status = 'lost'");
  await using after = await start({ ...again(before), ...KEY });
  await after.untilStatus("linked", "connected");
});

scenario(
  "a session whose row is deleted ends with its socket, and no late write brings it back",
  async (start) => {
    await using world = await start(KEY);
    const phone = await world.link("deleted");
    await world.link("other");
    await query(
      world.config.databaseUrl,
      "delete from ll_whatsapp_qr_sessions where instance_id = 'deleted'",
    );
    // It is found out by the next write.
    const missing = world.log.next(({ event, instance_id }) =>
      event === "session_missing" && instance_id === "deleted"
    );
    world.gateway.drop(phone);
    await missing;
    assert.equal((await world.hub.get("deleted")).status, 404);
    assert.deepEqual(
      await world.rows("select instance_id from ll_whatsapp_qr_sessions where instance_id = 'deleted'"),
      [],
    );
    assert.equal((await world.hub.disconnected("deleted", "NETWORK")).status, 404);
    assert.equal((await world.hub.session("other")).status, "connected");
    await world.hub.qr("deleted");
    assert.equal((await world.hub.session("deleted")).status, "qr_required");
  },
);
