import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { generateCredentialKey } from "../../../db/mod.ts";
import { query } from "../../../lab/databases/helpers.ts";
import { faultScenario, ownServer } from "./own_server.ts";
import { flagsFor, hubOf, serviceProcess, TestProcess } from "../../../lab/process.ts";
import { databaseScenario } from "../../e2e/world.ts";
import { environmentFor, failure, processWithPauses, stopped } from "./start_process.ts";

const server = await ownServer();

Deno.test("the service gives up with 69 when the database stays unreachable", async () => {
  const environment = environmentFor("mysql://root:hunter2-hunter2@127.0.0.1:1/sessions");
  const process = processWithPauses(environment, [50, 100, 150]);
  assert.deepEqual(await failure(process), {
    code: 69,
    sentence:
      "The database of DATABASE_URL (127.0.0.1:1/sessions) cannot be reached; start it, or mend the URL.",
  });
  assert.equal(process.lines.filter((line) => line.includes("store_unavailable")).length, 3);
  assert.ok(!process.lines.join().includes("hunter2"));
});

faultScenario(
  server,
  "the service starts when the database comes up a little later",
  async (_start, server) => {
    const { url, drop } = await server.database();
    await server.kill9();
    await using process = processWithPauses(environmentFor(url), Array(240).fill(500));
    await process.event("store_unavailable");
    await server.restart();
    const hub = await hubOf(process);
    assert.equal((await hub.get("nobody")).status, 404);
    await stopped(process);
    await drop();
  },
);

Deno.test("the service starts when a locked SQLite file is let go", async () => {
  const folder = await Deno.makeTempDir();
  const other = new DatabaseSync(`${folder}/sessions.db`);
  try {
    other.exec("create table of_another_program (a); begin exclusive");
    await using process = serviceProcess(environmentFor(`sqlite:${folder}/sessions.db`));
    await process.event("store_unavailable");
    other.exec("commit");
    const hub = await hubOf(process);
    assert.equal((await hub.get("nobody")).status, 404);
    await stopped(process);
  } finally {
    other.close();
    await Deno.remove(folder, { recursive: true });
  }
});

databaseScenario("the service refuses with 78 and alters nothing when a table does not fit", async (url) => {
  await query(url, "create table ll_whatsapp_qr_sessions (id integer primary key, instance_id varchar(10))");
  const before = await tables(url);
  const { code, sentence } = await failure(serviceProcess(environmentFor(url)));
  assert.equal(code, 78);
  assert.match(sentence, /^Table ll_whatsapp_qr_sessions: column .* nothing was altered\.$/);
  assert.deepEqual(await tables(url), before);
});

databaseScenario(
  "the service refuses with 78 and a number when a table of its name is another's",
  async (url) => {
    await query(url, "create table ll_whatsapp_migrations (a integer)");
    const { code, sentence } = await failure(serviceProcess(environmentFor(url)));
    assert.equal(code, 78);
    assert.match(sentence, /^(The database|SQLite) refuses what the service asks of .*: error \d+[^:]*\.$/);
  },
);

/** Every table with its columns, as the database tells them. */
function tables(url: string): Promise<unknown[]> {
  return query(
    url,
    url.startsWith("sqlite:")
      ? "select name, sql from sqlite_schema order by name"
      : "select table_name, column_name, column_type from information_schema.columns " +
        "where table_schema = database() order by table_name, ordinal_position",
  );
}

faultScenario(
  server,
  "the service refuses with 78 when the user or the database is wrong",
  async (_start, server) => {
    const { url, name, drop } = await server.database();
    for (
      const [wrong, expected] of [
        [url.replace("root:", "root:hunter2"), /user or the password/],
        [url.replace(name, "absent"), /does not exist/],
      ] as const
    ) {
      const { code, sentence } = await failure(serviceProcess(environmentFor(wrong)));
      assert.equal(code, 78);
      assert.match(sentence, expected);
      assert.ok(!sentence.includes("hunter2"));
    }
    await drop();
  },
);

Deno.test("the service refuses with 78 and names the variable when the configuration is wrong", async () => {
  const good = environmentFor("sqlite::memory:");
  for (
    const [wrong, expected] of [
      [{ PORT: "http" }, /^PORT /],
      [{ DATABASE_URL: "postgres://localhost/x" }, /^DATABASE_URL /],
      [{ DATABASE_URL: "mysql://localhost/x", CREDENTIALS_KEY: "" }, /^CREDENTIALS_KEY is required/],
      [{ DATABASE_URL: "mysql://localhost/x", CREDENTIALS_KEY: generateCredentialKey() }, /^DATABASE_URL /],
      [{ DATABASE_URL: "sqlite:/dev/null/sessions.db" }, /\/dev\/null\/sessions\.db/],
    ] as const
  ) {
    const process = TestProcess.script("main.ts", [...flagsFor(good), "--allow-read", "--allow-write"], {
      ...good,
      ...wrong,
    });
    const { code, sentence } = await failure(process);
    assert.equal(code, 78, sentence);
    assert.match(sentence, expected);
  }
});
