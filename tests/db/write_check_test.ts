import assert from "node:assert/strict";
import { sql } from "kysely";
import { connect, type Database } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { DatabaseUnusableError, openStore } from "../../db/mod.ts";
import { SqlStore } from "../../db/store.ts";
import { WriteCheck } from "../../db/write_check.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { KEYS, saveNew, SQLITE } from "../../lab/databases/helpers.ts";

/** A check over a database in memory, what that is sent, and the time. */
async function stage(): Promise<
  AsyncDisposable & { database: Database; check: WriteCheck; sent: string[]; time: { ms: number } }
> {
  const sent: string[] = [];
  const database = await connect("sqlite::memory:", { log: ({ query }) => void sent.push(query.sql) });
  sent.length = 0;
  const time = { ms: 0 };
  const check = new WriteCheck(database, undefined, () => time.ms);
  return { database, check, sent, time, [Symbol.asyncDispose]: () => database.close() };
}

const full = () =>
  new StoreUnavailableError(
    Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode: 13 }),
  );

Deno.test("an embedded database is written to every five seconds at most, however often it is looked at", async () => {
  await using all = await stage();
  const { check, sent, time } = all;
  for (; time.ms < 20_000; time.ms += 100) await check.check();
  assert.equal(sent.filter((text) => text.startsWith("pragma user_version =")).length, 4);
  sent.length = 0;
  // What the product writes tells as much.
  for (; time.ms < 40_000; time.ms += 1_000) {
    check.written();
    await check.check();
  }
  assert.deepEqual(sent, []);
});

Deno.test("the version number of the file stays what it is", async () => {
  await using all = await stage();
  const { database, check } = all;
  await sql`pragma user_version = 7`.execute(database.db);
  await check.check();
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(database.db);
  assert.deepEqual(rows.map((row) => row.user_version), [7]);
});

Deno.test("a refused write is looked into immediately, and no other failure says anything of writing", async () => {
  await using all = await stage();
  const { check, sent } = all;
  check.written();
  for (const error of [new Error("other"), new StoreUnavailableError(new Error("silent"))]) {
    check.failed(error);
    await check.check();
    assert.deepEqual(sent, []);
  }
  check.failed(full());
  await check.check();
  assert.equal(sent.filter((text) => text.startsWith("pragma user_version =")).length, 1);
});

Deno.test("what is damaged counts for half a minute, whatever else can be written", async () => {
  await using all = await stage();
  const { check, time } = all;
  const damage = new DatabaseUnusableError("The file is damaged.");
  check.failed(damage);
  await assert.rejects(check.check(), damage);
  check.written();
  time.ms += 29_000;
  await assert.rejects(check.check(), damage);
  time.ms += 1_000;
  await check.check();
});

Deno.test("ping() and every write say that the database is unavailable when the file can only be read", async () => {
  await using database = await SQLITE.database();
  await using first = await openStore({ url: database.url, keys: KEYS });
  await saveNew(first, createSession("a", 1), { kind: "keep" });
  await using readOnly = new SqlStore(await connect(database.url, { readOnly: true }), KEYS);
  await assert.rejects(readOnly.ping(), StoreUnavailableError);
  await assert.rejects(readOnly.save(createSession("a", 2), { kind: "keep" }), StoreUnavailableError);
  await assert.rejects(readOnly.findOrCreate("b", 2), StoreUnavailableError);
  assert.equal((await readOnly.find("a"))?.session.createdAt, 1);
  await first.ping();
});

Deno.test("ping() says that the file is damaged once anybody has met it", async () => {
  await using database = await SQLITE.database();
  const opened = await connect(database.url);
  await migrateDatabase(opened);
  const { rows: [table] } = await sql<
    { rootpage: number }
  >`select rootpage from sqlite_schema where name = 'll_whatsapp_qr_sessions'`.execute(opened.db);
  await opened.close(); // and the journal is in the file
  using file = await Deno.open(database.url.slice("sqlite:".length), { write: true });
  await file.seek((table!.rootpage - 1) * 4_096, Deno.SeekMode.Start);
  await file.write(new Uint8Array(4_096).fill(0x5a));

  await using store = new SqlStore(await connect(database.url), KEYS);
  await store.ping(); // the first page is as it was
  await assert.rejects(store.listUnsettled(), DatabaseUnusableError);
  await assert.rejects(store.ping(), DatabaseUnusableError);
});
