/**
 * A client's own table on MySQL or MariaDB: what is said of it, what altering makes of it, and that its rows stay.
 */
import assert from "node:assert/strict";
import { describeMigration, isRefused, migrate } from "../../../db/mod.ts";
import { dialectTest, mysql, open, query } from "../../../lab/databases/helpers.ts";
import {
  BY_HAND,
  BY_HAND_KEYS,
  COLUMNS,
  insertRows,
  LARAVEL,
  place,
  ROWS,
  runLax,
  seconds,
} from "./tables.ts";

const dialect = await mysql();
const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);

const rowsOf = (url: string, columns = "*") =>
  query(url, `select ${columns} from ll_whatsapp_qr_sessions order by id`);
const createText = async (url: string) =>
  String((await query(url, "show create table ll_whatsapp_qr_sessions"))[0]["Create Table"]);

async function lines(url: string, options: { dryRun?: boolean; alter?: boolean }): Promise<string> {
  return describeMigration(await migrate(url, options)).join("\n");
}

test("a Laravel table is named in full, altered in one statement, and answered from afterwards", async (url) => {
  await query(url, LARAVEL);
  await query(url, insertRows(ROWS));
  const before = await rowsOf(url);
  const look = await migrate(url, { dryRun: true });
  assert.ok(isRefused(look));
  assert.equal(look.table?.flaws.length, 7);
  assert.equal(look.table?.statements.length, 1);
  assert.deepEqual(look.table?.settlement, { connected: 1, connecting: 0, generated: 0 });
  assert.deepEqual(await rowsOf(url), before);
  await assert.rejects(
    open(url),
    /column instance_id is varchar\(255\).* and 6 more things do not fit .*nothing was altered\.$/,
  );

  assert.match(await lines(url, { alter: true }), /was altered\n.*was adopted with its rows/);
  assert.equal((await migrate(url, { dryRun: true })).table?.flaws.length, 0);
  const after = await rowsOf(url);
  assert.deepEqual(after.slice(1).map(seconds), before.slice(1).map(seconds));
  // Nobody is logged in here: what was connected is not, and says since when.
  const { status, disconnected_at, last_error_code, last_error_message, updated_at, ...kept } = after[0];
  assert.deepEqual([status, last_error_code], ["disconnected", "UNKNOWN"]);
  assert.match(last_error_message, /unknown cause/);
  assert.equal(disconnected_at, updated_at);
  for (const [name, value] of Object.entries(seconds(kept))) {
    assert.equal(value, seconds(before[0])[name], name);
  }

  await using store = await open(url);
  assert.equal((await store.find("sender_51"))?.session.status, "disconnected");
  assert.equal(await store.find("SENDER_51"), null);
  await store.findOrCreate("SENDER_51", Date.UTC(2026, 0, 5, 1, 2, 3, 456));
  assert.equal((await rowsOf(url, "id, created_at")).at(-1)?.created_at, "2026-01-05 01:02:03.456");
});

test("a table that somebody clicked together is altered whole, and keeps what is the client's own", async (url) => {
  await query(url, BY_HAND);
  await query(url, BY_HAND_KEYS);
  const own = ROWS.map((row, at) => row.replace(/\)$/, `, ${at + 3}, 'NOT NULL')`));
  await query(url, insertRows(own, `${COLUMNS}, customer_id, kind`));
  await query(url, "update ll_whatsapp_qr_sessions set status = 'disconnected' where status = 'connected'");
  await query(url, "update ll_whatsapp_qr_sessions set qr_generated_at = '2026-01-04 12:34:56'");
  const before = await rowsOf(url);
  await migrate(url, { alter: true });
  assert.deepEqual((await rowsOf(url)).map(seconds), before.map(seconds));
  const text = await createText(url);
  for (
    const kept of [
      /ENGINE=InnoDB/,
      /`customer_id` int(\(11\))? DEFAULT NULL COMMENT 'whose'/,
      /`remark` varchar\(20\).* NOT NULL DEFAULT 'NOT NULL'/,
      /`kind` enum\('NOT NULL','n'\).* DEFAULT NULL/,
      /`instance_id` varchar\(64\) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'sender_…, it''s NOT NULL'/,
      / KEY `uq_phone` \(`phone_number`\)/,
    ]
  ) assert.match(text, kept);
  assert.doesNotMatch(text, /ON UPDATE|UNIQUE KEY `uq_phone`/i);
  await using store = await open(url);
  await store.findOrCreate("another", Date.now());
});

test("rows that cannot be taken over are named first, each kind's first twenty, and nothing is touched", async (url) => {
  await query(url, LARAVEL);
  await query(url, insertRows(ROWS));
  await query(
    url,
    "alter table ll_whatsapp_qr_sessions modify status varchar(20) null, modify last_error_code text null",
  );
  const row = (
    id: number,
    name: string,
    status = "'init'",
    code = "null",
    created = "'2026-01-03 00:00:00'",
  ) =>
    `(${id}, ${name}, null, ${status}, 'none', null, null, null, null, null, ${code}, null, ${created}, '2026-01-03 00:00:00')`;
  await runLax(
    url,
    insertRows([
      ...Array.from({ length: 23 }, (_, n) => row(100 + n, `'paused_${n}'`, "'paused'")),
      row(200, "'with space'"),
      row(201, "'ñandú'"),
      row(202, `'${"x".repeat(65)}'`),
      row(203, "'noStatus'", "null"),
      row(204, "'Upper'", "'Connected'"),
      row(205, "'noBirth'", "'init'", "null", "null"),
      row(206, "'zero'", "'init'", "null", "'0000-00-00 00:00:00'"),
    ]),
  );
  const before = await rowsOf(url);
  const text = await lines(url, { dryRun: true });
  const isFirst = text.indexOf("rows cannot be taken over") < text.indexOf("Table ll_whatsapp_qr_sessions");
  assert.ok(isFirst, text);
  for (
    const said of [
      /24 rows cannot be taken over: status is none of init, [^\n]*:\n( {2}paused_\d+ \("paused"\)\n){20} {2}and 4 more\n/,
      /3 rows cannot be taken over: instance_id is not [^\n]*:\n {2}"with space"\n {2}"ñandú"\n {2}"x{65}"\n/,
      /1 row cannot be taken over: status is NULL:\n {2}noStatus\n/,
      /1 row cannot be taken over: created_at is NULL:\n {2}noBirth\n/,
      /1 row cannot be taken over: created_at is no instant:\n {2}zero \("0000-00-00 00:00:00"\)\n/,
    ]
  ) assert.match(text, said);
  await assert.rejects(
    migrate(url, { alter: true }),
    /24 rows cannot be taken over[^]*Nothing was altered\.$/,
  );
  assert.deepEqual(await rowsOf(url), before);
  assert.match(await createText(url), /timestamp/);
});

test("duplicates, long texts and impossible dates are found where altering would meet them", async (url) => {
  await query(
    url,
    LARAVEL.replace(/,\s*unique [^)]*\)/, "").replace("phone_number varchar(255)", "phone_number blob"),
  );
  await runLax(
    url,
    "alter table ll_whatsapp_qr_sessions modify qr_expires_at datetime, modify created_at varchar(40)",
  );
  const row = (id: number, name: string, phone: string, expires: string, created: string) =>
    `(${id}, '${name}', ${phone}, 'init', 'none', null, null, ${expires}, null, null, null, null, ${created}, '2026-01-03 00:00:00')`;
  const good = "'2026-01-03T00:00:00'";
  await runLax(
    url,
    insertRows([
      row(1, "twice", "null", "null", good),
      row(2, "twice", "null", "null", good),
      row(3, "Twice", "null", "null", good),
      row(4, "long", `'${"9".repeat(33)}'`, "null", good),
      row(5, "never", "null", "'2026-02-31 00:00:00'", good),
      row(6, "zoned", "null", "null", "'2026-01-03T00:00:00Z'"),
    ]),
  );
  const { table } = await migrate(url, { dryRun: true });
  assert.deepEqual(table?.rowFaults, [
    { what: "instance_id is there more than once", rows: 1, named: ["twice"] },
    { what: "phone_number has more than 32 characters", rows: 1, named: ["long"] },
    { what: "qr_expires_at is no instant", rows: 1, named: ['never ("2026-02-31 00:00:00")'] },
    { what: "created_at is no instant", rows: 1, named: ['zoned ("2026-01-03T00:00:00Z")'] },
  ]);
  await query(url, "delete from ll_whatsapp_qr_sessions where id in (2, 4, 5, 6)");
  await migrate(url, { alter: true });
  await using store = await open(url);
  assert.equal((await store.find("twice"))?.session.createdAt, Date.UTC(2026, 0, 3));
  assert.notEqual(await store.find("Twice"), null);
});

test("instants of a TIMESTAMP are the same ones afterwards, whatever zone they were written in", async (url) => {
  await query(url, LARAVEL);
  const { server, name } = place(url);
  {
    await using session = await server.session(name);
    await session.run("set time_zone = '-03:00'");
    await session.run(insertRows(ROWS));
  }
  await migrate(url, { alter: true });
  // 12:34:56 in Buenos Aires.
  assert.equal((await rowsOf(url, "qr_generated_at"))[0].qr_generated_at, "2026-01-04 15:34:56.000");
});

test("an id of 0, and ids that were given once, stay", async (url) => {
  await query(url, BY_HAND);
  await query(
    url,
    insertRows(
      ROWS.map((row) => row.replace("(1,", "(0,").replace(/\)$/, ", 1, 'n')")),
      `${COLUMNS}, customer_id, kind`,
    ),
  );
  await migrate(url, { alter: true });
  assert.deepEqual((await rowsOf(url, "id")).map(({ id }) => id), [0, 2, 7]);
});

/** A rule of the table: what makes it, what is said of it, and what becomes of it. */
const RULES: readonly [
  name: string,
  statements: readonly string[],
  says: RegExp,
  then: "gone" | "stays" | "refused",
][] = [
  [
    "a CHECK over the contract's columns",
    [
      "alter table ll_whatsapp_qr_sessions add constraint only_some check (status in ('init', 'disconnected'))",
    ],
    /has the CHECK only_some, and none/,
    "gone",
  ],
  [
    "a CHECK over the client's own",
    [
      "alter table ll_whatsapp_qr_sessions add column tenant int null, add constraint positive check (tenant > 0)",
    ],
    /^(?![^]*CHECK positive)/,
    "stays",
  ],
  [
    "a trigger before the write",
    [
      "create trigger watch before update on ll_whatsapp_qr_sessions for each row set new.phone_number = null",
    ],
    /has the trigger watch, which runs before .*drop trigger `watch`;/,
    "refused",
  ],
  [
    "a trigger after the write",
    [
      "create table audit (a int)",
      "create trigger watch after update on ll_whatsapp_qr_sessions for each row insert into audit values (1)",
    ],
    /The trigger watch stays/,
    "stays",
  ],
  [
    "a foreign key from instance_id",
    [
      "create table instances (name varchar(255) collate utf8mb4_unicode_ci primary key) engine = InnoDB",
      "insert into instances select instance_id from ll_whatsapp_qr_sessions",
      "alter table ll_whatsapp_qr_sessions add constraint to_instance foreign key (instance_id) references instances (name)",
    ],
    /has the foreign key to_instance to instances, which could refuse a session/,
    "gone",
  ],
  [
    "a foreign key from an own column",
    [
      "create table customers (id int primary key) engine = InnoDB",
      "alter table ll_whatsapp_qr_sessions add column customer int null, " +
      "add constraint to_customer foreign key (customer) references customers (id)",
    ],
    /The foreign key to_customer to customers stays/,
    "stays",
  ],
  [
    "a foreign key to id",
    [
      "create table sends (session bigint unsigned not null, constraint of_session foreign key (session) " +
      "references ll_whatsapp_qr_sessions (id)) engine = InnoDB",
      "insert into sends select id from ll_whatsapp_qr_sessions",
    ],
    /The foreign key of_session of sends stays/,
    "stays",
  ],
  [
    "a foreign key to instance_id",
    [
      "create table sends (session varchar(255) collate utf8mb4_unicode_ci not null, constraint of_session " +
      "foreign key (session) references ll_whatsapp_qr_sessions (instance_id)) engine = InnoDB",
    ],
    /column instance_id changes its type, and the foreign key of_session of sends leads to it\. Run: alter table `sends` drop/,
    "refused",
  ],
  [
    "partitions",
    [
      "alter table ll_whatsapp_qr_sessions drop key ll_whatsapp_qr_sessions_instance_id_unique",
      "alter table ll_whatsapp_qr_sessions partition by hash (id) partitions 3",
    ],
    /has partitions/,
    "gone",
  ],
  [
    "a view",
    ["create view connected as select instance_id from ll_whatsapp_qr_sessions"],
    /The view connected stays/,
    "stays",
  ],
  [
    "a generated column of the contract's",
    [
      "alter table ll_whatsapp_qr_sessions modify last_error_code varchar(255) as (upper(status)) stored",
    ],
    /column last_error_code is generated/,
    "gone",
  ],
  [
    "a generated column that is not kept",
    [
      "alter table ll_whatsapp_qr_sessions drop column last_error_code, add column last_error_code varchar(255) as (upper(status)) virtual",
    ],
    /column last_error_code is generated.* Replace it/,
    "refused",
  ],
  [
    "an own generated column",
    [
      "alter table ll_whatsapp_qr_sessions add column shout varchar(255) as (upper(instance_id)) stored",
    ],
    /^(?![^]*shout)/,
    "stays",
  ],
  [
    "unique indexes of other columns",
    [
      "delete from ll_whatsapp_qr_sessions where id = 2",
      "alter table ll_whatsapp_qr_sessions add unique key one_phone (phone_number), add unique key short (instance_id(7))",
    ],
    /column phone_number has the unique index one_phone[^]*column instance_id has the unique index short/,
    "gone",
  ],
  [
    "an instant that follows every update",
    [
      "alter table ll_whatsapp_qr_sessions modify connected_at timestamp(3) null on update current_timestamp(3)",
    ],
    /column connected_at becomes the present instant with every update/,
    "gone",
  ],
  ["a row format of its own", ["alter table ll_whatsapp_qr_sessions row_format = compressed"], /./, "stays"],
  [
    "another engine and its row format",
    ["alter table ll_whatsapp_qr_sessions modify instance_id varchar(100) not null, engine = MyISAM, row_format = fixed"],
    /uses the engine MyISAM/,
    "gone",
  ],
  [
    "columns that are missing",
    [
      "alter table ll_whatsapp_qr_sessions drop column id, drop column qr_status, drop column created_at",
    ],
    /column id is missing[^]*column created_at is missing[^]*Rows get the present instant as their created_at/,
    "gone",
  ],
  [
    "instants as numbers",
    [
      "alter table ll_whatsapp_qr_sessions drop column connected_at, add column connected_at bigint null",
    ],
    /column connected_at is bigint.*from_unixtime/,
    "refused",
  ],
  [
    "another primary key",
    [
      "alter table ll_whatsapp_qr_sessions modify id bigint unsigned not null, drop primary key",
      "alter table ll_whatsapp_qr_sessions add primary key (instance_id)",
    ],
    /column id is not the primary key/,
    "gone",
  ],
];

for (const [name, statements, says, then] of RULES) {
  test(`altering a table with ${name}: ${then}`, async (url) => {
    await query(url, LARAVEL);
    await query(url, insertRows(ROWS.map((row) => row.replace("'connected'", "'disconnected'"))));
    for (const statement of statements) await query(url, statement);
    const values =
      "select cast(instance_id as char character set utf8mb4) as name, phone_number, status, updated_at " +
      "from ll_whatsapp_qr_sessions order by cast(instance_id as binary)";
    const before = await query(url, values);
    const shape = await createText(url);
    const look = await lines(url, { dryRun: true });
    assert.match(look, says);
    if (then === "refused") {
      await assert.rejects(migrate(url, { alter: true }), /Nothing was altered\.$/);
      assert.equal(await createText(url), shape);
      return;
    }
    await migrate(url, { alter: true });
    const again = await lines(url, { dryRun: true });
    if (then === "gone") assert.doesNotMatch(again, says);
    else assert.match(again, says);
    assert.deepEqual((await query(url, values)).map(seconds), before.map(seconds));
    await using store = await open(url);
    await store.findOrCreate("sender_99", Date.now());
  });
}
