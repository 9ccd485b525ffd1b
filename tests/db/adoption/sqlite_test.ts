/**
 * A client's own table in a SQLite file: rebuilt in one transaction, with all that is the client's.
 */
import assert from "node:assert/strict";
import { describeMigration, isRefused, migrate } from "../../../db/mod.ts";
import { claimDatabase } from "../../../db/sole_process.ts";
import { dialectTest, open, query, SQLITE } from "../../../lab/databases/helpers.ts";
import { COLUMNS, insertRows } from "./tables.ts";

const TABLE = `CREATE TABLE "ll_whatsapp_qr_sessions" ( -- as phpLiteAdmin would
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "instance_id" VARCHAR(255) NOT NULL COLLATE NOCASE,
  phone_number INTEGER,
  status varchar NOT NULL DEFAULT 'init',
  qr_status varchar NOT NULL,
  qr_string text NOT NULL DEFAULT '',
  qr_generated_at datetime, qr_expires_at datetime, connected_at datetime, disconnected_at datetime,
  last_error_message text,
  created_at datetime, updated_at datetime,
  "tenant" int NOT NULL,
  "the remark" text NOT NULL DEFAULT 'it''s'
)`;
const NAMES = COLUMNS.replace("last_error_code, ", "");
const ROW = (id: number, name: string, status: string, more = "5") =>
  `(${id}, '${name}', 5491155550001, '${status}', 'used', 'data:', '2026-01-04 12:34:56', null, ` +
  `'2026-01-04 12:35:10', null, null, '2026-01-03 00:00:00', '2026-01-04 12:35:10.123', ${more})`;

const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(SQLITE, name, body);
const rowsOf = (url: string) => query(url, "select * from ll_whatsapp_qr_sessions order by id");
const schemaOf = (url: string) => query(url, "select type, name, sql from sqlite_schema order by type, name");

async function prepare(url: string): Promise<void> {
  // Not by one that COLLATE would keep from being rebuilt beside own columns.
  await query(url, TABLE.replace(" COLLATE NOCASE", ""));
  await query(url, "create index by_tenant on ll_whatsapp_qr_sessions (tenant)");
  await query(url, "create unique index one_phone on ll_whatsapp_qr_sessions (phone_number, id)");
  await query(
    url,
    'create unique index one_remark on ll_whatsapp_qr_sessions (tenant, "the remark", status)',
  );
  await query(
    url,
    insertRows([ROW(3, "sender_51", "connected"), ROW(9, "sender_52", "disconnected")], `${NAMES}, tenant`),
  );
  await query(url, insertRows([ROW(20, "gone", "error")], `${NAMES}, tenant`));
  await query(url, "delete from ll_whatsapp_qr_sessions where id = 20");
}

test("a table is rebuilt with its rows, ids, own columns and indexes, and answered from", async (url) => {
  await prepare(url);
  await query(url, "create view busy as select instance_id from ll_whatsapp_qr_sessions");
  await query(
    url,
    "create table sends (session integer references ll_whatsapp_qr_sessions (id) on delete cascade)",
  );
  await query(url, "insert into sends values (3)");
  const before = await rowsOf(url);
  const schema = await schemaOf(url);
  const look = await migrate(url, { dryRun: true });
  assert.ok(isRefused(look));
  assert.match(
    describeMigration(look).join("\n"),
    /column last_error_code is missing[^]*would run this[^]*create table/,
  );
  assert.deepEqual(await schemaOf(url), schema);

  await migrate(url, { alter: true });
  const after = await rowsOf(url);
  assert.deepEqual(
    after.map(({ id, tenant, ...row }) => [id, row.instance_id, row.phone_number, tenant, row["the remark"]]),
    [
      [3, "sender_51", "5491155550001", 5, "it's"],
      [9, "sender_52", "5491155550001", 5, "it's"],
    ],
  );
  assert.deepEqual(
    [after[1].created_at, after[1].updated_at, after[1].connected_at, after[1].status],
    [before[1].created_at, before[1].updated_at, before[1].connected_at, "disconnected"],
  );
  assert.deepEqual([after[0].status, after[0].last_error_code], ["disconnected", "UNKNOWN"]);
  assert.equal((await query(url, "select * from sends")).length, 1);
  assert.equal((await query(url, "select * from busy")).length, 2);
  const indexes = await query(
    url,
    "select name, sql from sqlite_schema where type = 'index' and sql is not null and tbl_name = 'll_whatsapp_qr_sessions' order by name",
  );
  assert.deepEqual(indexes.map(({ name, sql }) => [name, /unique/i.test(sql)]), [
    ["by_tenant", false],
    ["one_phone", true],
    ["one_remark", false],
  ]);
  assert.deepEqual((await migrate(url, { dryRun: true })).table?.flaws, []);
  {
    await using store = await open(url);
    await store.findOrCreate("Sender_51", 1);
  }
  // An id that was given once is not given again.
  assert.equal((await rowsOf(url)).at(-1)?.id, 21);
});

test("rows and rules that cannot be kept are named, and the file stays as it is", async (url) => {
  await prepare(url);
  await query(url, "create trigger watch after update on ll_whatsapp_qr_sessions begin select 1; end");
  await query(
    url,
    insertRows([ROW(30, "SENDER_51", "asleep"), ROW(31, "sender_51", "init")], `${NAMES}, tenant`),
  );
  await query(url, "update ll_whatsapp_qr_sessions set connected_at = 1767530096 where id = 9");
  const [rows, schema] = [await rowsOf(url), await schemaOf(url)];
  const { table } = await migrate(url, { dryRun: true });
  assert.deepEqual(table?.rowFaults.map(({ what, named }) => `${what}: ${named}`), [
    'connected_at is no instant: sender_52 ("1767530096")',
    'status is none of init, qr_required, connecting, connected, disconnected, error: SENDER_51 ("asleep")',
    "instance_id is there more than once: sender_51",
  ]);
  await assert.rejects(
    migrate(url, { alter: true }),
    /has the trigger watch, which would be lost[^]*Nothing was altered\.$/,
  );
  assert.deepEqual([await rowsOf(url), await schemaOf(url)], [rows, schema]);
});

for (
  const [name, from, to, says] of [
    ["a CHECK", 'tenant" int', 'tenant" int check (tenant > 0)', /has a CHECK, which would be lost/],
    [
      "a collation of an own column",
      'the remark" text',
      'the remark" text collate nocase',
      /has a COLLATE, which would be lost/,
    ],
    [
      "a foreign key of an own column",
      'tenant" int',
      'tenant" int references tenants (id)',
      /has a foreign key, which would be lost/,
    ],
    [
      "a CHECK of the contract's columns",
      "status varchar",
      "status varchar check (status <> 'error')",
      /has a CHECK, and none that could refuse/,
    ],
    ["STRICT", "'it''s'\n)", "'it''s'\n) without rowid", /has WITHOUT ROWID/],
  ] as const
) {
  test(`${name} is not lost in a rebuilding`, async (url) => {
    const text = TABLE.replace(" COLLATE NOCASE", "").replace(
      name === "STRICT" ? " AUTOINCREMENT" : "\0",
      "",
    );
    assert.ok(text.includes(from));
    await query(url, text.replace(from, to));
    await assert.rejects(migrate(url, { alter: true }), says);
  });
}

test("a table whose names ignore case is rebuilt where nothing else is the client's", async (url) => {
  await query(url, TABLE.replace(/,\s*"tenant"[^]*'it''s'/, ""));
  await query(url, insertRows([ROW(3, "sender_51", "error").replace(", 5)", ")")], NAMES));
  await migrate(url, { alter: true });
  await using store = await open(url);
  await store.findOrCreate("SENDER_51", 1);
  assert.equal((await rowsOf(url)).length, 2);
});

test("a file that is served is not altered", async (url) => {
  await prepare(url);
  using _claim = claimDatabase(url);
  await assert.rejects(migrate(url, { alter: true }), /is served by another process/);
});
