/** Migrations whose process is killed, or whose machine is gone: nothing of them stands in the next one's way. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { sql } from "kysely";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { parseConfig } from "../../config.ts";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { MIGRATIONS } from "../../db/migrations/mod.ts";
import { generateCredentialKey, migrate } from "../../db/mod.ts";
import { databasePermissionFlags } from "../../permissions.ts";
import { TestProcess } from "../../lab/process.ts";
import { place } from "./adoption/tables.ts";
import { EndingProxy } from "./ending_proxy.ts";
import { dialectTest, mysql, query, SQLITE } from "../../lab/databases/helpers.ts";
import { HoldingProxy } from "./holding_proxy.ts";
import { definitionsOf, fill, read, readSchema } from "./serving.ts";

const NAMES = MIGRATIONS.map(({ name }) => name);
const MADE = /^create table/;

/** `deno task migrate`, without its launcher: what is killed is what migrates. */
function tool(url: string): TestProcess {
  const environment = { DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() };
  const flags = databasePermissionFlags(parseConfig(environment, 2));
  return TestProcess.script("tools/migrate.ts", flags, environment);
}

async function migrateTo(url: string, count: number): Promise<void> {
  const database = await connect(url);
  try {
    await migrateDatabase(database, { migrations: MIGRATIONS.slice(0, count) });
  } finally {
    await database.close();
  }
}

dialectTest(
  await mysql(),
  "a tool that is killed leaves no lock, and two that are started then complete it",
  async (url) => {
    const { server, name } = place(url);
    await using session = await server.session(name);
    await migrate(url);
    const complete = await definitionsOf(session);
    const lock = `ll_whatsapp_${createHash("sha1").update(name).digest("hex")}`;
    const { proxy, url: through } = await EndingProxy.before(url, MADE);
    await using _ = proxy;
    const tables = Object.keys(complete).length - 1; // that of sessions is there
    for (
      const [nth, ending] of [[1, "after"], [2, "before"], [4, "after"], [tables, "before"], [
        tables,
        "after",
      ]] as const
    ) {
      for (const table of Object.keys(await definitionsOf(session))) await session.run(`drop table ${table}`);
      await migrateTo(url, 1);
      const schema = await readSchema(session);
      await fill(session, schema);
      const rows = await read(session, schema);
      {
        const reached = proxy.stopAt(nth, ending);
        await using process = tool(through);
        await Promise.race([
          reached,
          process.exit().then((code) => assert.fail(`It ended in ${code}: ${process.stderr}`)),
        ]);
        assert.notEqual((await session.run(`select is_used_lock('${lock}') as id`))[0]?.["id"], null);
        process.kill("SIGKILL");
        await process.exit();
      }
      while ((await session.run(`select is_used_lock('${lock}') as id`))[0]?.["id"] !== null);
      await using first = tool(url);
      await using second = tool(url);
      assert.deepEqual([await first.exit(), await second.exit()], [0, 0], first.stderr + second.stderr);
      assert.deepEqual(await definitionsOf(session), complete);
      assert.deepEqual(await read(session, schema), rows);
    }
  },
);

dialectTest(
  await mysql(),
  "the lock of a machine that is gone without a word ends by itself",
  async (url) => {
    const { proxy, url: through } = await HoldingProxy.before(url);
    await using _ = proxy;
    proxy.holdFrom("create table if not exists ll_whatsapp_links");
    const gone = migrate(through);
    const outcome = assert.rejects(gone, StoreUnavailableError);
    const { server, name } = place(url);
    const sleeping =
      `select count(*) as n from information_schema.processlist where db = '${name}' and command = 'Sleep'`;
    while ((await query(url, "show tables like 'll_whatsapp_qr_sessions'")).length === 0);
    assert.deepEqual((await migrate(url)).applied.map(({ name }) => name).at(-1), NAMES.at(-1));
    assert.equal(Number((await server.run(sleeping))[0]?.["n"]), 0);
    await outcome;
  },
);

dialectTest(await mysql(), "a connection that has migrated is closed no sooner than others", async (url) => {
  const database = await connect(`${url}?pool=1`);
  try {
    const { id } = await connectionOf(database);
    await migrateDatabase(database);
    const [standard] = await query(url, "select @@global.wait_timeout as seconds");
    assert.deepEqual(await connectionOf(database), { id, seconds: Number(standard.seconds) });
  } finally {
    await database.close();
  }
});

dialectTest(
  SQLITE,
  "a process that is killed after any statement has migrated or has not, and the next one does",
  async (url) => {
    const path = url.slice("sqlite:".length);
    const definitions = () => query(url, "select type, name, sql from sqlite_schema order by type, name");
    const row =
      "insert into ll_whatsapp_qr_sessions (instance_id, status, qr_status, created_at, updated_at) values " +
      "('sender_51', 'disconnected', 'expired', '2026-01-04T12:34:56.789Z', '2026-01-04T12:34:56.789Z')";
    const begin = async () => {
      for (const end of ["", "-wal", "-shm"]) await Deno.remove(path + end).catch(() => {});
      await migrateTo(url, 1);
      await query(url, row);
    };
    await begin();
    const old = await definitions();
    const statements: string[] = [];
    const database = await connect(url, { log: ({ query }) => void statements.push(query.sql) });
    await migrateDatabase(database);
    await database.close();
    const complete = await definitions();
    const from = statements.findIndex((statement) => /^begin/.test(statement));
    for (let nth = from + 1; nth <= statements.length; nth++) {
      const statement = statements[nth - 1]!;
      if (!/^(begin|create|insert|commit)/.test(statement)) continue;
      await begin();
      const args = ["--no-check", "-P=lab"];
      await using process = TestProcess.script("tests/db/migrating_main.ts", args, {}, [url, String(nth)]);
      assert.equal(await process.exit(), 137, process.stderr);
      assert.deepEqual(
        await definitions(),
        /^commit/.test(statement) ? complete : old,
        statement,
      );
      await Promise.all([migrate(url), migrate(url)]);
      assert.deepEqual(await definitions(), complete, statement);
      const rows = await query(url, "select instance_id, created_at from ll_whatsapp_qr_sessions");
      assert.deepEqual(rows.map((row) => ({ ...row })), [{
        instance_id: "sender_51",
        created_at: "2026-01-04T12:34:56.789Z",
      }]);
    }
  },
);

async function connectionOf({ db }: Awaited<ReturnType<typeof connect>>) {
  const { rows: [row] } = await sql<{ id: number; seconds: number }>`select connection_id() as id,
    @@session.wait_timeout as seconds`.execute(db);
  return { id: Number(row?.id), seconds: Number(row?.seconds) };
}
