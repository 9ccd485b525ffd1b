import assert from "node:assert/strict";
import type { LogEvent } from "kysely";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { SqlStore, type Store } from "../../db/store.ts";
import type { LeaseStore } from "../../cluster/ports.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { KEYS, mysql, type TestDialect } from "../../lab/databases/helpers.ts";
import { globalStatus, type TestServer, testServer, type TestSession } from "../../lab/databases/server.ts";

const ONE = "00000000-0000-4000-8000-000000000001";
const TTL_MS = 600_000;
/** More than there are connections. */
const LOCKED = Array.from({ length: 30 }, (_, i) => `locked_${i}`);

interface Desk {
  readonly store: Store;
  readonly leases: LeaseStore;
  readonly server: TestServer;
  /** Another client of the same database. */
  readonly other: TestSession;
  /** Statements that have failed so far, by their text. */
  readonly failed: string[];
  readonly name: string;
}

const dialect: TestDialect = await mysql();

function test(name: string, body: (desk: Desk) => Promise<void>): void {
  Deno.test({
    name: `locked rows: ${name}${dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`}`,
    ignore: dialect.skipped !== undefined,
    fn: async () => {
      await using database = await dialect.database();
      const failed: string[] = [];
      const log = (event: LogEvent) => void (event.level === "error" && failed.push(event.query.sql));
      const connected = await connect(database.url, { log });
      await migrateDatabase(connected);
      await using store = new SqlStore(connected, KEYS);
      const { leases } = store;
      assert.ok(leases !== null);
      await leases.join(ONE, TTL_MS);
      const server = (await testServer())!;
      const name = new URL(database.url).pathname.slice(1);
      await using other = await server.session(name);
      await body({ store, leases, server, other, failed, name });
    },
  });
}

/** Rows that another client has locked, and a write to each of them, so many of which wait for their row. */
async function crowd({ store, server, other }: Desk, waiting: number): Promise<Promise<unknown>[]> {
  for (const id of [...LOCKED, "free"]) await store.findOrCreate(id, 1);
  // Otherwise it would lock every row that it looks at.
  await other.run("set session transaction isolation level read committed; begin");
  await other.run("select * from ll_whatsapp_qr_sessions where instance_id like 'locked%' for update");
  const writes = LOCKED.map((id) => store.save({ ...createSession(id, 1), updatedAt: 2 }, { kind: "keep" }));
  for (const write of writes) write.catch(() => {});
  while (await globalStatus(server, "Innodb_row_lock_current_waits") < waiting) { /* look again */ }
  return writes;
}

test("a session that nobody has locked is read, and the presence renewed, before any write gives up", async (desk) => {
  const { store, leases, failed } = desk;
  await crowd(desk, 7);
  assert.equal((await store.find("free"))?.session.instanceId, "free");
  assert.equal((await store.outline("free"))?.instanceId, "free");
  assert.equal(await leases.renew(ONE, TTL_MS), true);
  await leases.clusterSnapshot();
  await store.ping();
  assert.deepEqual(failed, []);
});

test("a session that nobody has locked is written after those that were under way, and not after all", async (desk) => {
  const { store, failed, other } = desk;
  const writes = await crowd(desk, 7);
  while (failed.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await store.save({ ...createSession("free", 1), updatedAt: 2 }, { kind: "keep" });
  const waited = failed.filter((text) => !text.includes("nowait"));
  assert.ok(waited.length <= 7, `${waited.length} writes have waited for their row`);
  assert.equal((await store.find("free"))?.session.updatedAt, 2);
  await other.run("commit");
  // What was refused says so; it is for the session to write it again, and then it is written.
  for (const write of await Promise.allSettled(writes)) {
    if (write.status === "rejected") assert.ok(write.reason instanceof StoreUnavailableError);
  }
  await store.save({ ...createSession(LOCKED[0]!, 1), updatedAt: 3 }, { kind: "keep" });
  assert.equal((await store.find(LOCKED[0]!))?.session.updatedAt, 3);
});

test("a presence is renewed while a taking waits for its lease", async ({ leases, other, server, failed }) => {
  await leases.take("a", ONE);
  await other.run("begin");
  await other.run("select * from ll_whatsapp_leases for update");
  const taking = leases.take("a", ONE);
  taking.catch(() => {});
  while (await globalStatus(server, "Innodb_row_lock_current_waits") === 0) { /* look again */ }
  assert.equal(await leases.renew(ONE, TTL_MS), true);
  assert.deepEqual(failed, []);
  await other.run("commit");
  assert.equal((await taking).kind, "taken");
});

test("nothing waits for long, and the presence for nothing, when a table is about to be altered", async (desk) => {
  const { store, leases, server, other, failed, name } = desk;
  await store.findOrCreate("a", 1);
  await other.run("begin; select * from ll_whatsapp_qr_sessions");
  await using altering = await server.session(name);
  const altered = altering.run("alter table ll_whatsapp_qr_sessions add column note int null");
  try {
    while (!await isWaitingForTable(server, name)) { /* look again */ }
    const reads = LOCKED.map((id) => store.find(id));
    const writes = LOCKED.map((id) => store.findOrCreate(id, 1));
    for (const call of [...reads, ...writes]) call.catch(() => {});
    assert.equal(await leases.renew(ONE, TTL_MS), true);
    await leases.clusterSnapshot();
    await store.ping();
    assert.deepEqual(failed, []);
    await Promise.all([...reads, ...writes].map((call) => assert.rejects(call, StoreUnavailableError)));
    // Once that is known nobody waits for it any more: the store's own question does, one at a time.
    const before = failed.length;
    let recovery: Promise<void> | null = null;
    for (let n = 0; n < 50; n++) {
      for (const read of [() => store.find("a"), async () => await store.outline("a")]) {
        await assert.rejects(read, (error) => {
          assert.ok(error instanceof StoreUnavailableError);
          recovery = error.recovery;
          return true;
        });
      }
    }
    assert.ok(failed.length - before < 50, `${failed.length - before} were asked`);
    await other.run("commit");
    await recovery!;
    assert.equal((await store.find("a"))?.session.instanceId, "a");
  } finally {
    await other.run("commit");
    await altered;
  }
  assert.equal((await store.find("a"))?.session.instanceId, "a");
});

async function isWaitingForTable(server: TestServer, name: string): Promise<boolean> {
  const rows = await server.run(`select state from information_schema.processlist where db = '${name}'`);
  return rows.some(({ state }) => /metadata lock/i.test(String(state)));
}
