import assert from "node:assert/strict";
import { CredentialKeys, openStore, rotateCredentials, type Store } from "../../db/mod.ts";
import { isSealingAlone, KeysDisagreeError } from "../../domain/key_ring.ts";
import type { LeaseStore } from "../../cluster/ports.ts";
import { createSession } from "../../domain/session.ts";
import { adopt, key, mysql, query, saveNew, type TestDialect } from "../../lab/databases/helpers.ts";
import { testServer } from "../../lab/databases/server.ts";

const TTL_MS = 60_000;
const HOUR_MS = 3_600_000;
/** What a test keeps from being written is waited for. */
const PATIENT = {
  statementMs: HOUR_MS,
  callMs: HOUR_MS,
  controlMs: HOUR_MS,
  breaker: { silenceMs: HOUR_MS },
};
const keysOf = (...bytes: number[]): CredentialKeys => new CredentialKeys(bytes.map(key));
const [OLD, NEW] = [1, 2];
const [OLD_ID, NEW_ID] = [OLD, NEW].map((byte) => keysOf(byte).newestId) as [string, string];

const dialect: TestDialect = await mysql();

function test(name: string, body: (url: string) => Promise<void>): void {
  Deno.test({
    name: `keys: ${name}${dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`}`,
    ignore: dialect.skipped !== undefined,
    fn: async () => {
      await using database = await dialect.database();
      await body(database.url);
    },
  });
}

/** A replica that is present with these keys. */
async function joined(
  databases: AsyncDisposableStack,
  url: string,
  replica: string,
  ...bytes: number[]
): Promise<Store & { readonly leases: LeaseStore; readonly arrival: { unopened: number } }> {
  const store = databases.use(await openStore({ url, keys: keysOf(...bytes), bounds: PATIENT }));
  const arrival = await store.leases!.join(replica, TTL_MS);
  return Object.assign(store as Store & { readonly leases: LeaseStore }, { arrival });
}

async function link(store: Store, instanceId: string): Promise<void> {
  await saveNew(
    store,
    createSession(instanceId, 1),
    adopt("login", [{ type: "session", id: "1", value: "one" }]),
  );
}

/** Which keys are in use, the one that seals in front. */
async function inUse(url: string): Promise<string[]> {
  const rows = await query(
    url,
    "select key_id from ll_whatsapp_credential_keys where key_id <> '' order by seals desc, key_id",
  );
  return rows.map(({ key_id }) => key_id);
}

async function sealedBy(url: string): Promise<string[]> {
  const rows = await query(url, "select distinct key_id from ll_whatsapp_credentials order by key_id");
  return rows.map(({ key_id }) => key_id);
}

test("a replica with a newer key seals with the one that the others have", async (url) => {
  await using databases = new AsyncDisposableStack();
  await joined(databases, url, "a", OLD);
  const newer = await joined(databases, url, "b", NEW, OLD);
  await link(newer, "sender_1");
  assert.deepEqual(await sealedBy(url), [OLD_ID]);
  assert.deepEqual(await inUse(url), [OLD_ID]);
});

test("the first replica over a database of an earlier version goes on with the key of its logins", async (url) => {
  await using databases = new AsyncDisposableStack();
  const earlier = databases.use(await openStore({ url, keys: keysOf(OLD) }));
  await link(earlier, "sender_1");
  assert.deepEqual(await inUse(url), []);
  const first = await joined(databases, url, "a", NEW, OLD);
  assert.deepEqual(first.arrival, { unopened: 0 });
  await link(first, "sender_2");
  assert.deepEqual(await sealedBy(url), [OLD_ID]);
});

test("join() leaves nothing behind of a replica that is refused for its keys", async (url) => {
  await using databases = new AsyncDisposableStack();
  await link(await joined(databases, url, "a", OLD), "sender_1");
  const wrong = databases.use(await openStore({ url, keys: keysOf(NEW) }));
  await assert.rejects(wrong.leases!.join("b", TTL_MS), KeysDisagreeError);
  assert.deepEqual(await query(url, "select replica_id from ll_whatsapp_replicas"), [{ replica_id: "a" }]);
  assert.deepEqual(await query(url, "select replica_id from ll_whatsapp_replica_keys"), [{
    replica_id: "a",
  }]);
  assert.deepEqual(await inUse(url), [OLD_ID]);
});

test("join() counts the logins that nobody can open any more, and goes on with its own key", async (url) => {
  await using databases = new AsyncDisposableStack();
  const gone = await joined(databases, url, "a", OLD);
  for (const name of ["sender_1", "sender_2"]) await link(gone, name);
  await gone.leases.leave("a");
  const next = await joined(databases, url, "b", NEW);
  assert.deepEqual(next.arrival, { unopened: 2 });
  assert.deepEqual(await inUse(url), [NEW_ID, OLD_ID]);
});

test("a presence of an earlier version, which does not tell its keys, keeps a rotation from beginning", async (url) => {
  await using databases = new AsyncDisposableStack();
  await link(await joined(databases, url, "a", NEW, OLD), "sender_1");
  await query(
    url,
    "insert into ll_whatsapp_replicas values ('earlier', utc_timestamp(3), utc_timestamp(3) + interval 1 hour)",
  );
  const { leases } = databases.use(await openStore({ url, keys: keysOf(3) }));
  await assert.rejects(leases!.join("b", TTL_MS), KeysDisagreeError);
  await assert.rejects(rotateCredentials({ url, keys: keysOf(3, NEW, OLD) }), KeysDisagreeError);
  await assert.rejects(rotateCredentials({ url, keys: keysOf(NEW, OLD) }), { message: /earlier version/ });
  await query(url, "delete from ll_whatsapp_replicas where replica_id = 'earlier'");
  assert.ok((await rotateCredentials({ url, keys: keysOf(NEW, OLD), patienceMs: 0 })).resealed === 0);
});

test("a replica has gone on to the new key once what the old one sealed is written, and not before", async (url) => {
  await using databases = new AsyncDisposableStack();
  await joined(databases, url, "gone", OLD).then(({ leases }) => leases.leave("gone"));
  const store = await joined(databases, url, "a", NEW, OLD);
  await link(store, "sender_1");
  // Whatever is written over a row waits for this lock, for as long as it takes.
  const [database, lock] = [new URL(url).pathname.slice(1), crypto.randomUUID()];
  const server = (await testServer())!;
  await using other = await server.session(database);
  await other.run(
    "create trigger hold before update on ll_whatsapp_credentials for each row " +
      `begin do get_lock('${lock}', 3600); do release_lock('${lock}'); end; do get_lock('${lock}', 0)`,
  );
  const write = store.saveKeys("sender_1", [{ type: "session", id: "1", value: "two" }]);
  const waiting =
    `select 1 from information_schema.processlist where db = '${database}' and state = 'User lock'`;
  while ((await server.run(waiting)).length === 0);
  await query(url, "update ll_whatsapp_credential_keys set seals = null where seals = 1");
  await query(url, `insert into ll_whatsapp_credential_keys values ('${NEW_ID}', 1)`);
  for (let look = 0; look < 3; look++) {
    const ring = await store.leases.followKeys("a");
    assert.deepEqual([ring.sealing, isSealingAlone(ring, NEW_ID)], [NEW_ID, false]);
  }
  await other.run(`do release_lock('${lock}'); drop trigger hold`);
  await write;
  while (!isSealingAlone(await store.leases.followKeys("a"), NEW_ID));
  assert.deepEqual(await sealedBy(url), [OLD_ID]);
  await store.saveKeys("sender_1", [{ type: "session", id: "2", value: "three" }]);
  assert.deepEqual((await sealedBy(url)).sort(), [OLD_ID, NEW_ID].sort());
});

test("a rotation beside a replica that has not gone on is not over, and the old key stays in use", async (url) => {
  await using databases = new AsyncDisposableStack();
  await joined(databases, url, "gone", OLD).then(({ leases }) => leases.leave("gone"));
  const slow = await joined(databases, url, "a", NEW, OLD);
  await link(slow, "sender_1");
  const first = await rotateCredentials({ url, keys: keysOf(NEW, OLD), patienceMs: 0 });
  assert.deepEqual([first.finished, first.resealed], [false, 2]);
  assert.deepEqual(await inUse(url), [NEW_ID, OLD_ID]);
  // It has not heard of it, and seals with the old key.
  await slow.saveKeys("sender_1", [{ type: "session", id: "1", value: "two" }]);
  await slow.leases.followKeys("a");
  const second = await rotateCredentials({ url, keys: keysOf(NEW, OLD) });
  assert.deepEqual([second.finished, second.resealed], [true, 1]);
  assert.deepEqual(await inUse(url), [NEW_ID]);
  assert.deepEqual(await slow.loadKeys("sender_1", "session", ["1"]), new Map([["1", "two"]]));
});

test("orphans() leaves out what others can open, and what it is told to", async (url) => {
  await using databases = new AsyncDisposableStack();
  const store = await joined(databases, url, "a", OLD);
  for (const name of ["sender_1", "sender_2"]) await link(store, name);
  await store.leases.markOrphaned(["sender_1", "sender_2", "unlinked"]);
  const names = async (keys: string[], sessions: string[]) =>
    (await store.leases.orphans(10, { keys: new Set(keys), sessions })).sort();
  assert.deepEqual(await names([], []), ["sender_1", "sender_2", "unlinked"]);
  assert.deepEqual(await names([NEW_ID], ["sender_2"]), ["sender_1", "unlinked"]);
  assert.deepEqual(await names([OLD_ID], []), ["unlinked"]);
  assert.deepEqual(await names([OLD_ID], ["unlinked"]), []);
});
