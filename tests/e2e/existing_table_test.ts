import assert from "node:assert/strict";
import { generateCredentialKey, migrate } from "../../db/mod.ts";
import { insertRows, LARAVEL, ROWS } from "../db/adoption/tables.ts";
import { dialectTest, mysql, query } from "../../lab/databases/helpers.ts";
import { World } from "./world.ts";

dialectTest(
  await mysql(),
  "a shop's table is taken over, and its sessions are answered by the contract",
  async (url) => {
    await query(url, LARAVEL);
    const [first, second, third] = ROWS;
    await query(
      url,
      insertRows([
        first,
        second,
        third,
        first.replace("(1, 'sender_51'", "(8, 'joining'").replace("'connected'", "'connecting'"),
        third.replace("(7, 'sender:53'", "(9, 'shown'").replace(
          "'disconnected', 'expired'",
          "'qr_required', 'generated'",
        ),
      ]),
    );
    await migrate(url, { alter: true });
    const environment = { CREDENTIALS_KEY: generateCredentialKey() };
    await using world = await World.start({ databaseUrl: url, environment });
    const told = async (name: string) => {
      const { status, qr_status, qr_string } = await world.hub.session(name);
      return [status, qr_status, qr_string];
    };
    // Believed, the first would be 409 for ever: no login of it is here.
    assert.deepEqual(await told("sender_51"), ["disconnected", "used", null]);
    assert.deepEqual(await told("Sender_52"), ["init", "none", null]);
    assert.deepEqual(await told("sender:53"), ["disconnected", "expired", null]);
    assert.deepEqual(await told("joining"), ["disconnected", "used", null]);
    assert.deepEqual(await told("shown"), ["qr_required", "expired", null]);
    assert.equal((await world.hub.get("SENDER_51")).status, 404);
    assert.deepEqual(
      (await world.rows(
        "select instance_id, last_error_code from ll_whatsapp_qr_sessions where id in (1, 8) order by id",
      ))
        .map(({ instance_id, last_error_code }) => [instance_id, last_error_code]),
      [["sender_51", "UNKNOWN"], ["joining", "TIMEOUT"]],
    );
    await world.link("sender_51");
    const [row] = await world.rows(
      "select id, created_at from ll_whatsapp_qr_sessions where instance_id = 'sender_51'",
    );
    assert.deepEqual([Number(row.id), row.created_at], [1, "2026-01-03 00:00:00.000"]);
  },
);

dialectTest(
  await mysql(),
  "a table that fits is taken over by the start itself, and what it tells is settled once",
  async (url) => {
    await query(url, LARAVEL);
    await query(url, insertRows(ROWS));
    const { table } = await migrate(url, { dryRun: true });
    await query(url, table!.statements[0]!);
    const environment = { CREDENTIALS_KEY: generateCredentialKey() };
    {
      await using world = await World.start({ databaseUrl: url, environment });
      assert.equal((await world.hub.session("sender_51")).status, "disconnected");
      const told = world.log.lines.filter(({ event }) => event === "table_adopted");
      assert.deepEqual(told, [{ event: "table_adopted", connected: 1, connecting: 0, generated: 0 }]);
      // What somebody in this system reports is believed, over a restart too.
      await world.hub.connected("sender_51", "+5491155550001");
    }
    await using again = await World.start({ databaseUrl: url, environment });
    assert.equal((await again.hub.session("sender_51")).status, "connected");
    assert.ok(!again.log.lines.some(({ event }) => event === "table_adopted"));
  },
);
