/**
 * Altering that is interrupted, for real: the tool killed, its connection cut, the server killed. The table is the old
 * one or the new one, and the same command completes what is left.
 */
import assert from "node:assert/strict";
import { generateCredentialKey, migrate } from "../../../db/mod.ts";
import { parseConfig } from "../../../config.ts";
import { databasePermissionFlags } from "../../../permissions.ts";
import { TestProcess } from "../../../lab/process.ts";
import { dialectTest, mysql, query } from "../../../lab/databases/helpers.ts";
import { TestServer, type TestSession } from "../../../lab/databases/server.ts";
import { ownServerProgram } from "../../../lab/databases/server_program.ts";
import { LARAVEL, place } from "./tables.ts";

const digits =
  "(select 0 as n union all select 1 union all select 2 union all select 3 union all select 4 union all " +
  "select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
const fill = (rows: number) =>
  `insert into ll_whatsapp_qr_sessions (instance_id, status, qr_status, qr_string, created_at, updated_at)
  select concat('sender_', seq), 'disconnected', 'expired', repeat('x', 400), '2026-01-03 00:00:00', '2026-01-04 12:35:10'
  from (select a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n as seq
    from ${digits} a, ${digits} b, ${digits} c, ${digits} d, ${digits} e) numbers where seq < ${rows}`;
const CHECKSUM =
  "select count(*) as n, sum(crc32(concat(id, cast(instance_id as char character set ascii), status, qr_string, " +
  "floor(unix_timestamp(created_at)), floor(unix_timestamp(updated_at))))) as checksum from ll_whatsapp_qr_sessions";

/** The server's thread that alters the table, once there is one; null when the tool was done before anybody saw it. */
async function altering(session: TestSession, process: TestProcess): Promise<number | null> {
  while (!process.ended) {
    const [row] = await session.run(
      "select id from information_schema.processlist where info like 'alter table ll_%'",
    );
    if (row !== undefined) return Number(row.id);
  }
  return null;
}

async function untilNobodyAlters(session: TestSession): Promise<void> {
  const rows = () =>
    session.run("select id from information_schema.processlist where info like 'alter table ll_%'");
  while ((await rows()).length > 0) { /* look again */ }
}

/** The table is as it was or as it is to be: nothing in between, and no row is lost. */
async function assertWhole(url: string, before: unknown): Promise<number> {
  assert.deepEqual(await query(url, CHECKSUM), before);
  const flaws = (await migrate(url, { dryRun: true })).table!.flaws.length;
  assert.ok(flaws === 0 || flaws === 7, `${flaws} flaws`);
  return flaws;
}

/** The tool itself, without its launcher: what is killed is what alters. */
function alter(url: string): TestProcess {
  const environment = { DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() };
  const flags = databasePermissionFlags(parseConfig(environment, 2));
  return TestProcess.script("tools/migrate.ts", flags, environment, ["--alter"]);
}

async function complete(url: string, before: unknown): Promise<void> {
  await using again = alter(url);
  assert.equal(await again.exit(), 0, again.stderr);
  assert.equal(await assertWhole(url, before), 0);
  assert.equal((await migrate(url)).applied.length, 0);
}

async function prepare(url: string, rows = 1_000): Promise<unknown> {
  await query(url, LARAVEL);
  await query(url, fill(rows));
  return await query(url, CHECKSUM);
}

dialectTest(
  await mysql(),
  "a killed tool leaves the old table or the new one, and the next run completes it",
  async (url) => {
    const before = await prepare(url);
    const { server, name } = place(url);
    await using watcher = await server.session(name);
    // Whoever reads keeps the table from being altered: the tool is killed while its statement waits.
    await using reader = await server.session(name);
    await reader.run("start transaction; select 1 from ll_whatsapp_qr_sessions limit 1");
    {
      await using process = alter(url);
      assert.notEqual(await altering(watcher, process), null, process.stderr);
      process.kill("SIGKILL");
      await process.exit();
    }
    await reader.run("commit");
    await untilNobodyAlters(watcher);
    await assertWhole(url, before);
    await complete(url, before);
  },
);

dialectTest(
  await mysql(),
  "a tool that loses its connection while it alters goes on over another one",
  async (url) => {
    const before = await prepare(url);
    const { server, name } = place(url);
    await using watcher = await server.session(name);
    await using reader = await server.session(name);
    await reader.run("start transaction; select 1 from ll_whatsapp_qr_sessions limit 1");
    await using process = alter(url);
    await watcher.run(`kill ${await altering(watcher, process)}`);
    await reader.run("commit");
    assert.equal(await process.exit(), 0, process.stderr);
    assert.equal(await assertWhole(url, before), 0);
  },
);

const program = await ownServerProgram();
Deno.test({
  name: "a server that is killed while it alters has the old table or the new one",
  ignore: program === undefined,
  fn: async () => {
    await using server = await TestServer.start(program!);
    await using database = { ...await server.database(), [Symbol.asyncDispose]: () => Promise.resolve() };
    // So many that copying them takes the server a while.
    const before = await prepare(database.url, 60_000);
    {
      await using process = alter(database.url);
      const watcher = await server.session();
      assert.notEqual(await altering(watcher, process), null, process.stderr);
      await server.kill9();
      assert.equal(await process.exit(), 69, process.stderr);
    }
    await server.restart();
    await assertWhole(database.url, before);
    await complete(database.url, before);
  },
});
