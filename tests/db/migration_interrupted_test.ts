/**
 * Migrations that are broken off at each of their statements, whatever migrations there are: MySQL and MariaDB commit at
 * nearly every one of them. The next starts complete them, several at once, and meanwhile the version before goes on.
 */
import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { type Migration, MIGRATIONS } from "../../db/migrations/mod.ts";
import { MIGRATIONS as LEDGER, SESSIONS } from "../../db/schema.ts";
import { insertRows, place, ROWS } from "./adoption/tables.ts";
import { EndingProxy } from "./ending_proxy.ts";
import { dialectTest, mysql } from "../../lab/databases/helpers.ts";
import { assertServes, definitionsOf, fill, read, readSchema, type Schema } from "./serving.ts";
import type { TestSession } from "../../lab/databases/server.ts";

/** What alters something, and the lock; not what only looks, or sets up the connection. */
const ALTERS = /^(?!\s*(select|show|set)\b)|_lock\s*\(/i;
const ENDINGS = ["before", "during", "after"] as const;

/** What a later version may do: everything that the rule allows. */
const LATER: Migration = {
  name: "9999_later",
  purpose: "a later version",
  statements: {
    sqlite: [],
    mysql: [
      "alter table ll_whatsapp_links add column later varchar(32) null, add column since datetime(3) null",
      "alter table ll_whatsapp_links add column kind varchar(16) not null default 'device'",
      "create index ll_whatsapp_links_later on ll_whatsapp_links (later)",
      "alter table ll_whatsapp_leases add key ll_whatsapp_leases_epoch (epoch)",
      "alter table ll_whatsapp_errands modify column outcome varchar(128) character set ascii collate ascii_bin null",
      "create table if not exists ll_whatsapp_later (id int not null primary key) engine = InnoDB",
      "update ll_whatsapp_links set since = created_at where since is null",
    ],
  },
};
const ALL = [...MIGRATIONS, LATER];

async function migrateTo(url: string, migrations: readonly Migration[]): Promise<void> {
  const database = await connect(url);
  try {
    await migrateDatabase(database, { migrations });
  } finally {
    await database.close();
  }
}

/** A state of the database to come back to. */
interface Point {
  readonly schema: Schema;
  readonly definitions: Readonly<Record<string, string>>;
  readonly rows: Readonly<Record<string, readonly string[]>>;
}

/** The database as these migrations leave it, with the rows that it allows. */
async function reach(session: TestSession, url: string, migrations: readonly Migration[]): Promise<Point> {
  if (migrations.length > 0) await migrateTo(url, migrations);
  const schema = await readSchema(session);
  await fill(session, schema);
  return { schema, definitions: await definitionsOf(session), rows: await read(session, schema) };
}

/** Undoes a migration: what it has made and altered is again as it was. */
async function comeBack(
  session: TestSession,
  { schema, definitions }: Point,
  { name }: Migration,
): Promise<void> {
  for (const [table, definition] of Object.entries(await definitionsOf(session))) {
    if (definition === definitions[table]) continue;
    await session.run(`drop table ${table}`);
    if (definitions[table] === undefined) continue;
    await session.run(definitions[table]);
    await fill(session, schema.filter((one) => one.name === table));
  }
  if (LEDGER in definitions) await session.run(`delete from ${LEDGER} where name = '${name}'`);
}

const oneLine = (statement: string) => statement.replaceAll(/\s+/g, " ");

interface Walk {
  readonly url: string;
  readonly migrations: readonly Migration[];
  /** Makes the database what it is before each attempt. */
  readonly begin: () => Promise<void>;
  /** What is true once it is broken off, and once it is complete. */
  readonly brokenOff: (where: string) => Promise<void>;
  readonly completed: (where: string) => Promise<void>;
}

/**
 * Breaks the last of these migrations off at each statement, in every way, and has it completed.
 * @returns the statements
 */
async function walk({ url, migrations, begin, brokenOff, completed }: Walk): Promise<string[]> {
  const { proxy, url: through } = await EndingProxy.before(url, ALTERS);
  await using _ = proxy;
  for (const ending of ENDINGS) {
    for (let nth = 1;; nth++) {
      await begin();
      proxy.endAt(nth, ending);
      const error = await migrateTo(through, migrations).then(() => null, (error) => error);
      if (error === null) break;
      assert.ok(error instanceof StoreUnavailableError, String(error));
      const where = `${ending} ${proxy.statements.at(-1)}`;
      await brokenOff(where);
      await Promise.all([migrateTo(url, migrations), migrateTo(url, migrations)]);
      await completed(where);
    }
  }
  const walked = proxy.statements.map(oneLine);
  for (const statement of migrations.at(-1)!.statements.mysql) {
    assert.ok(walked.includes(oneLine(statement)), `not walked: ${statement}`);
  }
  assert.match(walked.at(-1)!, /release_lock/);
  return walked;
}

for (const [index, migration] of ALL.entries()) {
  dialectTest(
    await mysql(),
    `${migration.name}, broken off at any statement, is completed by two starts at once, beside the version before`,
    async (url) => {
      const { server, name } = place(url);
      await using session = await server.session(name);
      const before = await reach(session, url, ALL.slice(0, index));
      const migrations = ALL.slice(0, index + 1);
      await migrateTo(url, migrations);
      const complete = await definitionsOf(session);
      await walk({
        url,
        migrations,
        begin: () => comeBack(session, before, migration),
        brokenOff: () => assertServes(session, before.schema),
        completed: async (where) => {
          assert.deepEqual(await definitionsOf(session), complete, where);
          assert.deepEqual(await read(session, before.schema), before.rows, where);
          await assertServes(session, before.schema);
        },
      });
    },
  );
}

/** A client's own table that fits. */
const OWN = `create table ${SESSIONS} (
  id int unsigned not null auto_increment primary key,
  instance_id varchar(100) character set utf8mb4 collate utf8mb4_bin not null,
  phone_number varchar(20) null,
  status enum('init', 'qr_required', 'connecting', 'connected', 'disconnected', 'error') not null,
  qr_status enum('none', 'generated', 'expired', 'used') not null default 'none',
  qr_string text null,
  qr_generated_at datetime(3) null,
  qr_expires_at datetime(3) null,
  connected_at datetime(6) null,
  disconnected_at datetime(3) null,
  last_error_code varchar(255) null,
  last_error_message text null,
  created_at datetime(3) not null,
  updated_at datetime(3) not null,
  tenant int null,
  unique key (instance_id)
) engine = InnoDB default character set utf8mb4`;
const SETTLED =
  `select id, instance_id, phone_number, status, qr_status, qr_string, last_error_code, created_at, tenant
  from ${SESSIONS} order by id`;

dialectTest(
  await mysql(),
  "a client's own table, taken over and broken off at any statement, has its rows settled, beside who else writes it",
  async (url) => {
    const { server, name } = place(url);
    await using session = await server.session(name);
    const begin = async () => {
      for (const table of Object.keys(await definitionsOf(session))) await session.run(`drop table ${table}`);
      await session.run(OWN);
      await session.run(insertRows(ROWS));
      await session.run(`update ${SESSIONS} set tenant = id`);
    };
    await begin();
    const schema = await readSchema(session);
    await migrateTo(url, MIGRATIONS.slice(0, 1));
    const complete = await definitionsOf(session);
    const settled = await session.run(SETTLED);
    assert.deepEqual(settled.map(({ status }) => status), ["disconnected", "init", "disconnected"]);
    const walked = await walk({
      url,
      migrations: MIGRATIONS.slice(0, 1),
      begin,
      brokenOff: () => assertServes(session, schema),
      completed: async (where) => {
        assert.deepEqual(await definitionsOf(session), complete, where);
        assert.deepEqual(await session.run(SETTLED), settled, where);
        await assertServes(session, schema);
      },
    });
    assert.ok(
      walked.some((statement) => statement.startsWith(`update \`${SESSIONS}\` set`)),
      walked.join("\n"),
    );
  },
);
