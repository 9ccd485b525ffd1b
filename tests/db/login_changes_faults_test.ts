import assert from "node:assert/strict";
import { CREDENTIALS, HELD_KEYS, RETIRED_LOGINS } from "../../db/schema.ts";
import { type Cut, CuttingProxy } from "./cutting_proxy.ts";
import { dialectTest, mysql, open, query } from "../../lab/databases/helpers.ts";
import { at, begin, BEGINNINGS, CHANGES, expected } from "./login_changes_suite.ts";
import { holdingsOf } from "./holdings.ts";
import { testServer, untilLockWait } from "../../lab/databases/server.ts";

const dialect = await mysql();

for (const when of ["before the commit", "after the commit"] satisfies Cut[]) {
  dialectTest(dialect, `save() does each change once when the connection is lost ${when}`, async (url) => {
    await using store = await open(url);
    const { proxy, url: through } = await CuttingProxy.before(url);
    await using _ = proxy;
    await using cutOff = await open(through);
    for (const [name, { change }] of Object.entries(CHANGES)) {
      if (name === "keep") continue; // no transaction
      for (const beginning of Object.keys(BEGINNINGS)) {
        const instanceId = `${name} ${beginning}`;
        const n = await begin(store, instanceId, beginning);
        await store.findOrCreate(instanceId, 0);
        const cuts = proxy.cuts;
        proxy.cut(when);
        await cutOff.save(at(instanceId, n), change()); // lost, and carried out again over another connection
        const isTransaction = name !== "confirm" || BEGINNINGS[beginning]!.holdings.held !== null;
        assert.equal(proxy.cuts, cuts + Number(isTransaction), instanceId);
        assert.deepEqual(await holdingsOf(url, instanceId), expected(name, beginning), instanceId);
      }
    }
  });
}

dialectTest(
  dialect,
  "save() moves rows as a rotation leaves them that seals them at that moment",
  async (url) => {
    const server = (await testServer())!;
    await using store = await open(url);
    const ROTATED = "rotated";
    /** Marks every row of a table as a rotation does, and lets a change run into it before it commits. */
    const rotate = async (table: string, change: () => Promise<void>) => {
      await using rotation = await server.session(new URL(url).pathname.slice(1));
      await rotation.run("set session transaction isolation level read committed; begin");
      await rotation.run(`update ${table} set key_id = '${ROTATED}'`);
      const changed = change();
      await untilLockWait(server);
      await rotation.run("commit");
      await changed;
    };
    const marks = async (table: string) =>
      new Set((await query(url, `select key_id from ${table}`)).map((row) => row.key_id));

    const { adopt, revert } = CHANGES;
    await begin(store, "s", "a working login");
    await rotate(CREDENTIALS, () => store.save(at("s", 10), adopt!.change()));
    for (const table of [RETIRED_LOGINS, HELD_KEYS]) {
      assert.deepEqual(await marks(table), new Set([ROTATED]), table);
    }

    for (const [n, table] of [RETIRED_LOGINS, HELD_KEYS].entries()) {
      await begin(store, table, "a held login");
      for (const any of [CREDENTIALS, RETIRED_LOGINS, HELD_KEYS]) {
        await query(url, `update ${any} set key_id = null`);
      }
      await rotate(table, () => store.save(at(table, 10 + n), revert!.change()));
      const restored = await query(
        url,
        `select distinct kind = 'creds' as login, key_id from ${CREDENTIALS} where instance_id = '${table}'`,
      );
      assert.deepEqual(
        new Map(restored.map(({ login, key_id }) => [Number(login) === 1, key_id])),
        new Map([[true, table === RETIRED_LOGINS ? ROTATED : null], [
          false,
          table === HELD_KEYS ? ROTATED : null,
        ]]),
      );
    }
  },
);
