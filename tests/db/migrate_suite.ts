/**
 * Migrations, run over both dialects: twice, at once, after a crash, beside a table of the client's own.
 * @module
 */
import assert from "node:assert/strict";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { MIGRATIONS } from "../../db/migrations/mod.ts";
import { DatabaseUnusableError, describeMigration, isRefused, migrate } from "../../db/mod.ts";
import { adopt, dialectTest, open, query, saveNew, type TestDialect } from "../../lab/databases/helpers.ts";

const NAMES = MIGRATIONS.map(({ name }) => name);
const FIELDS = [
  "id",
  "instance_id",
  "phone_number",
  "status",
  "qr_status",
  "qr_string",
  "qr_generated_at",
  "qr_expires_at",
  "connected_at",
  "disconnected_at",
  "last_error_code",
  "last_error_message",
  "created_at",
  "updated_at",
];

/** A client's own table, column by column, in another form than ours but able to hold everything. */
const CLIENT_TABLE: Record<TestDialect["name"], Record<string, string>> = {
  mysql: {
    id: "int unsigned not null auto_increment",
    instance_id: "varchar(100) character set utf8mb4 collate utf8mb4_bin not null",
    phone_number: "varchar(20)",
    status: "enum('init','qr_required','connecting','connected','disconnected','error') not null",
    qr_status: "enum('none','generated','expired','used') not null default 'none'",
    qr_string: "text",
    qr_generated_at: "timestamp(3) null",
    qr_expires_at: "timestamp(3) null",
    connected_at: "datetime(6)",
    disconnected_at: "datetime(3)",
    last_error_code: "varchar(100)",
    last_error_message: "text",
    created_at: "timestamp(3) not null default current_timestamp(3)",
    updated_at: "timestamp(3) not null default current_timestamp(3) on update current_timestamp(3)",
    tenant: "int null",
    remark: "varchar(10) not null default ''",
  },
  sqlite: {
    id: "integer primary key",
    instance_id: "varchar(64) not null",
    phone_number: "varchar(20)",
    status: "varchar(16) not null",
    qr_status: "varchar(16) not null",
    qr_string: "text",
    qr_generated_at: "datetime",
    qr_expires_at: "datetime",
    connected_at: "timestamp",
    disconnected_at: "timestamp",
    last_error_code: "text",
    last_error_message: "text",
    created_at: "datetime not null",
    updated_at: "datetime not null",
    tenant: "int",
    remark: "text not null default ''",
  },
};

const KEYS: Record<TestDialect["name"], string[]> = {
  mysql: ["primary key (id)", "unique key (instance_id)"],
  sqlite: ["unique (instance_id)"],
};

interface Change {
  column?: Record<string, string | undefined>;
  keys?: string[];
  suffix?: string;
}

function clientTable(dialect: TestDialect["name"], change: Change = {}): string {
  const columns = Object.entries({ ...CLIENT_TABLE[dialect], ...change.column })
    .flatMap(([name, type]) => type === undefined ? [] : [`${name} ${type}`]);
  const keys = change.keys ?? KEYS[dialect];
  return `create table ll_whatsapp_qr_sessions (${[...columns, ...keys].join(", ")}) ${change.suffix ?? ""}`;
}

/** Each kind of table that does not fit: the change, and the column that the sentence names. */
const MISFITS: Record<TestDialect["name"], [string, Change, string][]> = {
  mysql: [
    ...FIELDS.filter((name) => name !== "id" && name !== "instance_id").map((
      name,
    ): [string, Change, string] => [
      `${name} is missing`,
      { column: { [name]: undefined } },
      name,
    ]),
    ["id does not count", { column: { id: "int not null" } }, "id"],
    ["id is text", { column: { id: "varchar(36) not null" } }, "id"],
    [
      "instance_id is short",
      { column: { instance_id: "varchar(63) collate utf8mb4_bin not null" } },
      "instance_id",
    ],
    ["instance_id ignores case", {
      column: { instance_id: "varchar(64) collate utf8mb4_general_ci not null" },
    }, "instance_id"],
    ["instance_id is not unique", { keys: ["primary key (id)", "key (instance_id)"] }, "instance_id"],
    [
      "instance_id is unique by a prefix",
      { keys: ["primary key (id)", "unique key (instance_id(10))"] },
      "instance_id",
    ],
    ["instance_id is the primary key", { keys: ["primary key (instance_id)", "unique key (id)"] }, "id"],
    ["phone_number is unique", { keys: [...KEYS.mysql, "unique key (phone_number)"] }, "phone_number"],
    ["phone_number is NOT NULL", { column: { phone_number: "varchar(20) not null" } }, "phone_number"],
    ["phone_number is a number", { column: { phone_number: "bigint" } }, "phone_number"],
    ["status is short", { column: { status: "varchar(11) not null" } }, "status"],
    ["status lacks a name", { column: { status: "enum('init','connected') not null" } }, "status"],
    [
      "qr_status lacks a name",
      { column: { qr_status: "enum('none','generated','expired') not null" } },
      "qr_status",
    ],
    ["qr_string is short", { column: { qr_string: "varchar(255)" } }, "qr_string"],
    ["qr_string is binary", { column: { qr_string: "blob" } }, "qr_string"],
    ["qr_expires_at has no milliseconds", { column: { qr_expires_at: "datetime" } }, "qr_expires_at"],
    ["updated_at has no milliseconds", { column: { updated_at: "timestamp" } }, "updated_at"],
    ["created_at is a number", { column: { created_at: "bigint not null" } }, "created_at"],
    ["connected_at is NOT NULL", { column: { connected_at: "datetime(3) not null" } }, "connected_at"],
    ["last_error_message is short", { column: { last_error_message: "varchar(100)" } }, "last_error_message"],
    [
      "last_error_code is generated",
      { column: { last_error_code: "varchar(64) as ('x') stored" } },
      "last_error_code",
    ],
    ["another column is demanded", { column: { owner: "int not null" } }, "owner"],
    ["the engine has no transactions", { suffix: "engine=MyISAM" }, "MyISAM"],
  ],
  sqlite: [
    ...FIELDS.filter((name) => name !== "instance_id").map((name): [string, Change, string] => [
      `${name} is missing`,
      { column: { [name]: undefined } },
      name,
    ]),
    ["id does not count", { column: { id: "text primary key" } }, "id"],
    ["instance_id ignores case", { column: { instance_id: "text not null collate nocase" } }, "instance_id"],
    ["instance_id is not unique", { keys: [] }, "instance_id"],
    ["phone_number is unique", { keys: [...KEYS.sqlite, "unique (phone_number)"] }, "phone_number"],
    ["phone_number is a number", { column: { phone_number: "integer" } }, "phone_number"],
    ["qr_string is NOT NULL", { column: { qr_string: "text not null" } }, "qr_string"],
    ["qr_expires_at is a number", { column: { qr_expires_at: "integer" } }, "qr_expires_at"],
    [
      "last_error_code is generated",
      { column: { last_error_code: "text as ('x') stored" } },
      "last_error_code",
    ],
    ["another column is demanded", { column: { owner: "int not null" } }, "owner"],
  ],
};

const LIST_TABLES: Record<TestDialect["name"], string> = {
  mysql:
    "select table_name as name from information_schema.tables where table_schema = database() order by name",
  sqlite: "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name",
};

/** Declares the suite over one dialect. */
export function migrateSuite(dialect: TestDialect): void {
  const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);
  const tables = async (url: string) => (await query(url, LIST_TABLES[dialect.name])).map((row) => row.name);

  test("migrate() applies everything to an empty database, and nothing when run again", async (url) => {
    const first = await migrate(url);
    assert.deepEqual(first.applied.map(({ name }) => name), NAMES);
    assert.equal(first.adopted, false);
    const second = await migrate(url);
    const table = { flaws: [], notes: [], statements: [], rowFaults: [], settlement: null };
    assert.deepEqual(second, {
      dryRun: false,
      present: NAMES,
      applied: [],
      adopted: false,
      altered: false,
      table: { ...table, notes: second.table?.notes ?? [] },
    });
    assert.deepEqual(describeMigration(second).at(-1), "The database is up to date.");
    const shared = [
      "ll_whatsapp_credential_keys",
      "ll_whatsapp_errands",
      "ll_whatsapp_leases",
      "ll_whatsapp_replica_keys",
      "ll_whatsapp_replicas",
    ];
    assert.deepEqual(
      (await tables(url)).sort(),
      [
        "ll_whatsapp_credentials",
        "ll_whatsapp_current_logins",
        "ll_whatsapp_held_keys",
        "ll_whatsapp_links",
        "ll_whatsapp_migrations",
        "ll_whatsapp_qr_sessions",
        "ll_whatsapp_retired_logins",
        ...(dialect.name === "mysql" ? shared : []),
      ].sort(),
    );
  });

  test("migrate() gives the contract's table exactly its fourteen fields", async (url) => {
    await migrate(url);
    const columns = dialect.name === "mysql"
      ? "select column_name as name from information_schema.columns where table_schema = database() " +
        "and table_name = 'll_whatsapp_qr_sessions' order by ordinal_position"
      : "select name from pragma_table_info('ll_whatsapp_qr_sessions')";
    assert.deepEqual((await query(url, columns)).map((row) => row.name), FIELDS);
  });

  test("migrate() applies each migration once when several start at once", async (url) => {
    const reports = await Promise.all(Array.from({ length: 4 }, () => migrate(url)));
    const applied = reports.flatMap((report) => report.applied.map(({ name }) => name));
    assert.deepEqual(applied.sort(), NAMES);
    const rows = await query(url, "select name from ll_whatsapp_migrations order by name");
    assert.deepEqual(rows.map((row) => row.name), NAMES);
  });

  test("migrate() completes when it had died after any statement", async (url) => {
    const statements = MIGRATIONS.flatMap((migration) => migration.statements[dialect.name]);
    for (let done = 0; done <= statements.length; done++) {
      for (const statement of statements.slice(0, done)) await query(url, statement);
      await migrate(url);
      assert.deepEqual((await migrate(url)).present, NAMES);
      for (const table of await tables(url)) await query(url, `drop table ${table}`);
    }
  });

  test("migrate() takes over and stays usable when a newer migration is added", async (url) => {
    await migrate(url);
    const newer = {
      name: "9999_more",
      purpose: "a later version",
      statements: {
        sqlite: ["create table ll_whatsapp_more (a int)"],
        mysql: ["create table ll_whatsapp_more (a int)"],
      },
    };
    const database = await connect(url);
    const report = await migrateDatabase(database, { dryRun: false, migrations: [...MIGRATIONS, newer] });
    await database.close();
    assert.deepEqual(report.applied.map(({ name }) => name), ["9999_more"]);
    await assert.rejects(migrate(url), (error) => {
      assert.ok(error instanceof DatabaseUnusableError); // this version is the older one now
      assert.match(error.message, /9999_more/);
      return true;
    });
  });

  test("migrate() alters nothing and says what it would do when it is a dry run", async (url) => {
    const report = await migrate(url, { dryRun: true });
    assert.deepEqual(report.applied.map(({ name }) => name), NAMES);
    const lines = describeMigration(report).join("\n");
    for (const migration of MIGRATIONS) {
      for (const statement of migration.statements[dialect.name]) assert.ok(lines.includes(statement));
    }
    if (dialect.name === "sqlite") {
      await assert.rejects(Deno.stat(url.slice("sqlite:".length)), Deno.errors.NotFound);
    }
    assert.deepEqual(await tables(url), []);
    await migrate(url);
    assert.deepEqual((await migrate(url, { dryRun: true })).applied, []);
  });

  test("openStore() adopts a table of the client's own with its rows when it fits", async (url) => {
    await query(url, clientTable(dialect.name));
    await query(
      url,
      "insert into ll_whatsapp_qr_sessions (instance_id, status, qr_status, qr_string, created_at, updated_at, tenant) " +
        "values ('sender_51', 'disconnected', 'generated', 'data:', '2026-01-04 12:34:56.789', " +
        "'2026-01-04 12:34:57.123', 7)",
    );
    const dryRun = await migrate(url, { dryRun: true });
    assert.equal(dryRun.adopted, true);
    assert.match(describeMigration(dryRun).join("\n"), /would be adopted with its rows/);
    await using store = await open(url);
    const found = await store.find("sender_51");
    assert.deepEqual(found, {
      session: {
        instanceId: "sender_51",
        phoneNumber: null,
        connectedAt: null,
        disconnectedAt: null,
        createdAt: Date.UTC(2026, 0, 4, 12, 34, 56, 789),
        updatedAt: Date.UTC(2026, 0, 4, 12, 34, 57, 123),
        status: "disconnected",
        qr: { status: "expired", generatedAt: null, expiresAt: null },
        lastError: { code: "UNKNOWN", message: "No cause was recorded." },
      },
      link: "none",
      predecessor: false,
    });
    await saveNew(store, found!.session, adopt("login"));
    assert.deepEqual(await store.find("sender_51"), { ...found, link: "working" });
    assert.deepEqual(await store.listUnsettled(), [{ ...found, link: "working" }]);
    await store.findOrCreate("sender_52", 1_767_530_096_001);
    assert.equal((await store.find("sender_52"))?.session.createdAt, 1_767_530_096_001);
    const [row] = await query(
      url,
      "select tenant from ll_whatsapp_qr_sessions where instance_id = 'sender_51'",
    );
    assert.equal(Number(row.tenant), 7);
  });

  test("openStore() stops with one sentence and alters nothing when a table does not fit", async (url) => {
    for (const [what, change, named] of MISFITS[dialect.name]) {
      await query(url, clientTable(dialect.name, change));
      const look = await migrate(url, { dryRun: true });
      assert.ok(look.table?.flaws.some(({ what: flaw }) => new RegExp(`\\b${named}\\b`).test(flaw)), what);
      assert.ok(isRefused(look), what);
      for (const start of [() => open(url), () => migrate(url)]) {
        await assert.rejects(start, (error) => {
          assert.ok(error instanceof DatabaseUnusableError, `${what}: ${error}`);
          assert.match(
            error.message,
            /^Table ll_whatsapp_qr_sessions: .* is expected.*; nothing was altered\.$/,
          );
          assert.match(error.message, new RegExp(`\\b${named}\\b`), what);
          return true;
        });
      }
      assert.deepEqual(await tables(url), ["ll_whatsapp_qr_sessions"], what);
      await query(url, "drop table ll_whatsapp_qr_sessions");
    }
  });

  test("openStore() stops when the contract's table has become unfit later", async (url) => {
    await migrate(url);
    await query(url, "alter table ll_whatsapp_qr_sessions drop column last_error_code");
    await assert.rejects(open(url), DatabaseUnusableError);
  });

  test("openStore() stops when the contract's table is a view", async (url) => {
    await query(url, "create view ll_whatsapp_qr_sessions as select 1 as id");
    await assert.rejects(open(url), /is a view, and a table is expected/);
    await query(url, "drop view ll_whatsapp_qr_sessions");
  });
}
