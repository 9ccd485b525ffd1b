/**
 * Logins that wait to be unlinked, run over both dialects: due, claimed, postponed, forgotten.
 * @module
 */
import assert from "node:assert/strict";
import { CredentialKeys, type Store } from "../../db/mod.ts";
import { CredentialsUnreadableError, type RetiredLogin } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import {
  adopt,
  dialectTest,
  key,
  open,
  query,
  saveNew,
  type TestDialect,
} from "../../lab/databases/helpers.ts";

const NOW = 1_767_530_096_789;

/** An instance whose login has been given up. @returns the id of the login */
async function retired(store: Store, instanceId: string): Promise<string> {
  const retiredId = crypto.randomUUID();
  await saveNew(store, createSession(instanceId, NOW), adopt(`login of ${instanceId}`));
  await saveNew(store, createSession(instanceId, NOW), { kind: "retire", retiredId });
  return retiredId;
}

/** Declares the suite over one dialect. */
export function retiredLoginsSuite(dialect: TestDialect): void {
  const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);

  /** Puts the next attempt of a login off, by the clock that counts. */
  const putOff = (url: string, id: string, seconds: number) => {
    const next = dialect.name === "mysql"
      ? `utc_timestamp(3) + interval ${seconds} second`
      : `'${new Date(Date.now() + seconds * 1_000).toISOString()}'`;
    return query(url, `update ll_whatsapp_retired_logins set next_attempt_at = ${next} where id = '${id}'`);
  };
  const due = async (store: Store, limit = 10) => (await store.dueRetiredLogins(limit)).map(({ id }) => id);

  test("dueRetiredLogins() gives the longest due first, at most so many, and none before its time", async (url) => {
    await using store = await open(url);
    const [a, b, c, d] = await Promise.all(["a", "b", "c", "d"].map((name) => retired(store, name)));
    await putOff(url, a!, -10);
    await putOff(url, b!, -30);
    await putOff(url, c!, 100);
    await putOff(url, d!, -20);
    assert.deepEqual(await due(store), [b, d, a]);
    assert.deepEqual(await due(store, 2), [b, d]);
    assert.equal(await store.countRetiredLogins(), 4);
  });

  test("dueRetiredLogins() gives a login whose attempt a clock has put off that was set back since", async (url) => {
    await using store = await open(url);
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => retired(store, name)));
    await putOff(url, a!, -10);
    await putOff(url, b!, 110); // as far as the longest pause and the slack
    await putOff(url, c!, 3_600);
    assert.deepEqual(await due(store), [c, a]);
    assert.deepEqual(await due(store, 1), [c]);
    const login = (await store.findRetiredLogin(c!))!;
    assert.equal(await store.claimRetiredLogin(login, 60_000), true);
    assert.deepEqual(await due(store), [a]);
  });

  test("a login that waits is due after a moment where several replicas share it, and else immediately", async (url) => {
    await using store = await open(url);
    const before = Date.now();
    const id = await retired(store, "retired");
    await saveNew(store, createSession("confirmed", NOW), adopt("older"));
    await saveNew(store, createSession("confirmed", NOW), adopt("newer"));
    await query(
      url,
      "update ll_whatsapp_retired_logins set retired_at = '2020-01-01 00:00:00.000' where held = 1",
    );
    await saveNew(store, createSession("confirmed", NOW), { kind: "confirm" });
    if (dialect.name === "mysql") {
      const rows = await query(
        url,
        "select timestampdiff(microsecond, retired_at, next_attempt_at) as delay from ll_whatsapp_retired_logins",
      );
      assert.deepEqual(rows.map(({ delay }) => Number(delay)), [15_000_000, 15_000_000]);
    } else assert.equal((await due(store)).length, 2);
    const stale = await query(
      url,
      "select id from ll_whatsapp_retired_logins where retired_at < '2021-01-01 00:00:00.000'",
    );
    assert.deepEqual(stale, []); // it waits since it is not held any more
    const login = await store.findRetiredLogin(id);
    assert.deepEqual(
      { ...login, retiredAt: 0 },
      { id, instanceId: "retired", attempts: 0, retiredAt: 0 } satisfies RetiredLogin,
    );
    assert.ok(Math.abs(login!.retiredAt - before) < 60_000); // the server's clock is this machine's
  });

  test("claimRetiredLogin() counts the attempt and puts the next one off, due or not", async (url) => {
    await using store = await open(url);
    const id = await retired(store, "s");
    const login = (await store.findRetiredLogin(id))!;
    assert.equal(await store.claimRetiredLogin(login, 60_000), true);
    assert.equal(await store.claimRetiredLogin(login, 60_000), false); // that attempt is somebody's
    const next = (await store.findRetiredLogin(id))!;
    assert.deepEqual(next, { ...login, attempts: 1 });
    assert.deepEqual(await due(store), []);
    assert.equal(await store.claimRetiredLogin(next, 0), true); // not due, and no matter
    await putOff(url, id, -1);
    assert.deepEqual(await store.dueRetiredLogins(10), [{ ...login, attempts: 2 }]);
    await store.postponeRetiredLogin(id, 60_000);
    assert.deepEqual(await due(store), []);
    await store.postponeRetiredLogin(id, 0);
    assert.deepEqual(await due(store), [id]);
    await store.postponeRetiredLogin(id, 86_400_000); // cut to the longest pause, or it would be due now
    assert.deepEqual(await due(store), []);
  });

  test("claimRetiredLogin() lets one of two through when both try at the same time", async (url) => {
    await using one = await open(url);
    await using two = await open(url);
    const id = await retired(one, "s");
    for (let attempt = 0; attempt < 20; attempt++) {
      const login = (await one.findRetiredLogin(id))!;
      assert.equal(login.attempts, attempt);
      const claims = await Promise.all(
        [one, two, one, two].map((store) => store.claimRetiredLogin(login, 0)),
      );
      assert.deepEqual(claims.filter((won) => won).length, 1);
    }
  });

  test("forgetRetiredLogin() removes a login, and may be repeated", async (url) => {
    await using store = await open(url);
    const [id, other] = [await retired(store, "a"), await retired(store, "b")];
    const login = (await store.findRetiredLogin(id))!;
    assert.equal(await store.loadRetiredLogin(id), "login of a");
    for (let n = 0; n < 2; n++) {
      await store.forgetRetiredLogin(id);
      assert.equal(await store.loadRetiredLogin(id), null);
      assert.equal(await store.findRetiredLogin(id), null);
      assert.equal(await store.claimRetiredLogin(login, 0), false);
      await store.postponeRetiredLogin(id, 0);
      assert.equal(await store.countRetiredLogins(), 1);
    }
    assert.equal(await store.loadRetiredLogin(other), "login of b");
  });

  test("loadRetiredLogin() refuses, and leaves the login, when the key is another", async (url) => {
    const id = await open(url).then(async (store) => {
      await using _ = store;
      return await retired(store, "s");
    });
    await using store = await open(url, new CredentialKeys([key(2)]));
    await assert.rejects(store.loadRetiredLogin(id), CredentialsUnreadableError);
    assert.equal(await store.countRetiredLogins(), 1);
  });

  test("a login that is held is none of those that wait", async (url) => {
    await using store = await open(url);
    const retiredId = crypto.randomUUID();
    await saveNew(store, createSession("s", NOW), adopt("older"));
    await saveNew(store, createSession("s", NOW), adopt("newer", [], retiredId));
    assert.equal(await store.countRetiredLogins(), 0);
    assert.deepEqual(await due(store), []);
    assert.equal(await store.findRetiredLogin(retiredId), null);
    assert.equal(await store.loadRetiredLogin(retiredId), null);
    const asIfWaiting: RetiredLogin = { id: retiredId, instanceId: "s", attempts: 0, retiredAt: NOW };
    assert.equal(await store.claimRetiredLogin(asIfWaiting, 0), false);
    await store.postponeRetiredLogin(retiredId, 0);
    await store.forgetRetiredLogin(retiredId);
    assert.deepEqual(await due(store), []);
    await saveNew(store, createSession("s", NOW), { kind: "revert", retiredId: null });
    assert.equal(await store.loadCredentials("s"), "older");
  });
}
