import assert from "node:assert/strict";
import { connect } from "../../db/database.ts";
import { createSession } from "../../domain/session.ts";
import { dialectTest, mysql, open, openCounted, query, SQLITE } from "../../lab/databases/helpers.ts";

const NOW = 1_767_530_096_789;

dialectTest(
  SQLITE,
  "outline() answers at once, and never from a transaction that may be undone",
  async (url) => {
    await using store = await open(url);
    await store.findOrCreate("s", NOW);
    const { instanceId, status, qr } = createSession("s", NOW);
    assert.deepEqual(store.outline("s"), { instanceId, status, qr });
    assert.equal(store.outline("nobody"), null);

    const database = await connect(url);
    try {
      const look = database.syncRead!("select status from ll_whatsapp_qr_sessions where instance_id = ?");
      await assert.rejects(
        database.db.transaction().execute(async (db) => {
          await db.updateTable("ll_whatsapp_qr_sessions").set({ status: "error" }).execute();
          assert.equal(look("s"), undefined);
          throw new Error("undone");
        }),
        /undone/,
      );
      assert.deepEqual(look("s"), ["init"]);
    } finally {
      await database.close();
    }
  },
);

dialectTest(await mysql(), "outline() asks for many sessions in few statements", async (url) => {
  const { store, statements } = await openCounted(url);
  await using _ = store;
  const names = Array.from({ length: 60 }, (_, n) => `s${n}`);
  for (const name of names) await store.findOrCreate(name, NOW);
  const before = statements.length;
  const outlines = await Promise.all(names.map((name) => store.outline(name)));
  assert.deepEqual(outlines.map((outline) => outline?.instanceId), names);
  // One leaves alone, at once; the others in two companies.
  assert.equal(statements.length - before, 3);
});

dialectTest(
  await mysql(),
  "outline() finds a session in a table with a collation of its own",
  async (url) => {
    await using store = await open(url);
    await store.findOrCreate("s", NOW);
    await query(
      url,
      "alter table ll_whatsapp_qr_sessions convert to character set utf8mb4 collate utf8mb4_bin",
    );
    const [one, other] = await Promise.all([store.outline("s"), store.outline("t")]);
    assert.equal(one?.status, "init");
    assert.equal(other, null);
  },
);
