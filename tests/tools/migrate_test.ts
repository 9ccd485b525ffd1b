import assert from "node:assert/strict";
import { generateCredentialKey } from "../../db/mod.ts";
import { query } from "../../lab/databases/helpers.ts";
import { databaseScenario } from "../e2e/world.ts";
import { runTool } from "./cli.ts";

/** Names of the tables that there are. */
async function tables(url: string): Promise<string[]> {
  const rows = await query(
    url,
    url.startsWith("sqlite:")
      ? "select name from sqlite_schema where type = 'table' and name like 'll%' order by name"
      : "select table_name as name from information_schema.tables where table_schema = database() order by name",
  );
  return rows.map(({ name }) => name);
}

const environmentFor = (url: string) => ({ DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() });

databaseScenario(
  "migrate says what it would do and does nothing with --dry-run, then does it, once",
  async (url) => {
    const environment = environmentFor(url);
    const would = await runTool("migrate", ["--", "--dry-run"], environment);
    assert.equal(would.code, 0, would.stderr);
    assert.match(would.lines.join("\n"), /^0001_sessions: would be applied: [^]*create table/m);
    if (url.startsWith("sqlite:")) await assert.rejects(Deno.stat(url.slice("sqlite:".length)));
    else assert.deepEqual(await tables(url), []);

    const did = await runTool("migrate", [], environment);
    assert.equal(did.code, 0, did.stderr);
    assert.match(did.lines[0] ?? "", /^0001_sessions: applied: /);
    assert.ok((await tables(url)).includes("ll_whatsapp_qr_sessions"));

    for (const args of [[], ["--dry-run"]]) {
      const again = await runTool("migrate", args, environment);
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.lines[0] ?? "", /^0001_sessions: already applied$/);
      assert.equal(again.lines.at(-1), "The database is up to date.");
    }
  },
);

databaseScenario(
  "migrate ends in 78 with one sentence and alters nothing when a table does not fit",
  async (url) => {
    await query(url, "create table ll_whatsapp_qr_sessions (id integer primary key)");
    for (const args of [[], ["--dry-run"], ["--alter"]]) {
      const { code, lines, stderr } = await runTool("migrate", args, environmentFor(url));
      assert.equal(code, 78);
      if (args[0] === "--dry-run") {
        assert.ok(
          lines.some((line) => /^Table ll_whatsapp_qr_sessions: column instance_id is missing/.test(line)),
        );
      } else if (args[0] === "--alter") {
        assert.match(
          stderr,
          /^Table ll_whatsapp_qr_sessions: column instance_id is missing[^\n]*\nNothing was altered\.\n$/,
        );
      } else assert.match(stderr, /^Table ll_whatsapp_qr_sessions: [^\n]*; nothing was altered\.\n$/);
      assert.deepEqual(await tables(url), ["ll_whatsapp_qr_sessions"]);
    }
  },
);

Deno.test("migrate ends with one sentence and its own code when it cannot work at all", async () => {
  const key = generateCredentialKey();
  for (
    const [code, sentence, args, url] of [
      [69, /^The database of DATABASE_URL cannot be reached/, [], "mysql://root:hunter2@127.0.0.1:1/x"],
      [78, /^DATABASE_URL has to be /, [], "postgres://localhost/x"],
      [78, /^DATABASE_URL names no user\.$/, [], "mysql://localhost/x"],
      [64, /^The arguments are --dry-run and --alter\.$/, ["--force"], "sqlite::memory:"],
    ] as const
  ) {
    const ended = await runTool("migrate", args, { DATABASE_URL: url, CREDENTIALS_KEY: key });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr.trimEnd(), sentence);
    assert.match(ended.stderr, /^[^\n]*\n$/);
    assert.ok(!ended.stderr.includes("hunter2"));
  }
});
