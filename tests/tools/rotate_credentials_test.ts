import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { generateCredentialKey, openStore, parseCredentialKeys } from "../../db/mod.ts";
import { query } from "../../lab/databases/helpers.ts";
import { testServer } from "../../lab/databases/server.ts";
import { serviceProcess } from "../../lab/process.ts";
import { databaseScenario, scenario } from "../e2e/world.ts";
import { runTool, tool } from "./cli.ts";

const TOOL = "rotate_credentials";
const KEYS = Array.from({ length: 450 }, (_, n) => ({ type: "session", id: `${n}`, value: `value ${n}` }));

/** More keys than one batch takes, as a login that has been in use for a while has them. */
async function fill(url: string, key: string, instanceId: string): Promise<void> {
  await using store = await openStore({ url, keys: parseCredentialKeys(key) });
  await store.saveKeys(instanceId, KEYS);
}

/** How many rows each key has sealed. */
async function sealedBy(url: string): Promise<Map<string, number>> {
  const rows = await query(
    url,
    "select key_id as id, count(*) as n from ll_whatsapp_credentials group by key_id",
  );
  return new Map(rows.map(({ id, n }) => [id, Number(n)]));
}

/** Keeps the tool from getting to its end; the function returned lets it go on. */
async function holdUp(url: string): Promise<() => Promise<void>> {
  if (url.startsWith("sqlite:")) {
    // Nothing but work can keep an embedded database busy: some hundred times as much as it takes to see that it has
    // begun and to interrupt it, however fast the machine is.
    await query(
      url,
      "create trigger hold_up before insert on ll_whatsapp_credentials when new.instance_id = 'linked_2' begin " +
        "select count(*) from (with recursive n (i) as (select 1 union all select i + 1 from n where i < 30000) " +
        "select i from n); end",
    );
    return () => {
      // The tool may still be closing the file: that is waited for.
      using database = new DatabaseSync(url.slice("sqlite:".length), { timeout: 120_000 });
      database.exec("drop trigger hold_up");
      return Promise.resolve();
    };
  }
  const other = await (await testServer())!.session(new URL(url).pathname.slice(1));
  await other.run("set session transaction isolation level read committed");
  await other.run("begin; select 1 from ll_whatsapp_credentials where instance_id = 'linked_2' for update");
  return () => other[Symbol.asyncDispose](); // and with the connection goes the lock
}

scenario(
  "links come back with the new key alone when a rotation was interrupted and run again",
  async (start) => {
    const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
    await using before = await start({ environment: { CREDENTIALS_KEY: old } });
    const { gateway } = before;
    const DATABASE_URL = before.config.databaseUrl;
    const ids = ["linked_1", "linked_2"];
    const phones = await Promise.all(ids.map((id) => before.link(id)));
    await before.stopService();
    for (const id of ids) await fill(DATABASE_URL, old, id);
    const [oldId, freshId] = [old, fresh].map((key) => parseCredentialKeys(key).newestId) as [string, string];
    const total = (await sealedBy(DATABASE_URL)).get(oldId)!;

    const environment = { DATABASE_URL, CREDENTIALS_KEY: `${fresh},${old}` };
    const letGo = await holdUp(DATABASE_URL);
    {
      await using rotation = tool(TOOL, [], environment);
      await rotation.line((line) => line.startsWith("Sealing"));
      while (!(await sealedBy(DATABASE_URL)).has(freshId)) assert.ok(!rotation.ended, rotation.stderr);
      rotation.kill("SIGINT");
      await rotation.line((line) => line.startsWith("Stopping"));
      await letGo();
      assert.equal(await rotation.exit(), 130, rotation.stderr);
      assert.equal(rotation.lines.at(-1), "Stopped before the end; the same command goes on with the rest.");
    }
    const done = (await sealedBy(DATABASE_URL)).get(freshId) ?? 0;
    assert.ok(done > 0 && done < total, `${done} of ${total} rows were sealed again`);

    const rest = await runTool(TOOL, [], environment);
    assert.equal(rest.code, 0, rest.stderr);
    assert.ok(
      rest.lines.includes(`${total - done} rows sealed again with the newest key.`),
      rest.lines.join("\n"),
    );
    assert.deepEqual(await sealedBy(DATABASE_URL), new Map([[freshId, total]]));

    await using after = await start({
      gateway,
      databaseUrl: DATABASE_URL,
      environment: { CREDENTIALS_KEY: fresh },
    });
    for (const id of ids) await after.untilStatus(id, "connected");
    for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
  },
);

databaseScenario(
  "rotate-credentials leaves what a wrong key does not open, names it and ends in 65",
  async (url) => {
    const [right, wrong, fresh] = [generateCredentialKey(), generateCredentialKey(), generateCredentialKey()];
    for (const id of ["sender_1", "sender_2"]) await fill(url, right, id);
    const before = await query(url, "select * from ll_whatsapp_credentials order by instance_id, kind, name");
    const { code, lines } = await runTool(TOOL, [], {
      DATABASE_URL: url,
      CREDENTIALS_KEY: `${fresh},${wrong}`,
    });
    assert.equal(code, 65);
    assert.equal(lines[1], "0 rows sealed again with the newest key.");
    assert.match(lines[2] ?? "", /^900 rows left as they are, .* sender_1, sender_2; add the key/);
    assert.deepEqual(
      await query(url, "select * from ll_whatsapp_credentials order by instance_id, kind, name"),
      before,
    );

    const mended = await runTool(TOOL, [], {
      DATABASE_URL: url,
      CREDENTIALS_KEY: `${fresh},${wrong},${right}`,
    });
    assert.equal(mended.code, 0, mended.stderr);
    await using store = await openStore({ url, keys: parseCredentialKeys(fresh) });
    assert.equal((await store.loadKeys("sender_2", "session", KEYS.map(({ id }) => id))).size, KEYS.length);
  },
);

Deno.test("rotate-credentials is refused beside a service over a file that lacks the new key", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rotate-" });
  const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
  const DATABASE_URL = `sqlite:${folder}/sessions.db`;
  const rotate = () => runTool(TOOL, [], { DATABASE_URL, CREDENTIALS_KEY: `${fresh},${old}` });
  const sealed = async () => [...(await sealedBy(DATABASE_URL)).keys()];
  try {
    await fill(DATABASE_URL, old, "sender_1");
    {
      await using behind = serviceProcess({ DATABASE_URL, CREDENTIALS_KEY: old, PORT: "0" });
      await behind.event("listening");
      const refused = await rotate();
      assert.equal(refused.code, 78, refused.stderr);
      assert.match(refused.stderr, /^The service that runs over this database file cannot open [^\n]+\.\n$/);
      assert.deepEqual(await sealed(), [parseCredentialKeys(old).newestId]);
    }
    await using ahead = serviceProcess({ DATABASE_URL, CREDENTIALS_KEY: `${fresh},${old}`, PORT: "0" });
    await ahead.event("listening");
    const done = await rotate();
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(await sealed(), [parseCredentialKeys(fresh).newestId]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("rotate-credentials ends with one sentence and its own code when it cannot work at all", async () => {
  const [one, two] = [generateCredentialKey(), generateCredentialKey()];
  const wrong = "mysql://root:hunter2@127.0.0.1:1/x";
  for (
    const [code, sentence, url, keys, args] of [
      [69, /^The database of DATABASE_URL cannot be reached/, wrong, `${two},${one}`, []],
      [78, /^CREDENTIALS_KEY has to hold the new key and after it/, "sqlite::memory:", one, []],
      [78, /^CREDENTIALS_KEY has to hold the new key and after it/, "sqlite::memory:", "", []],
      [78, /^CREDENTIALS_KEY has to be 32 bytes in base64/, "sqlite::memory:", `${two},short`, []],
      [64, /^There are no arguments/, "sqlite::memory:", `${two},${one}`, ["--force"]],
    ] as const
  ) {
    const ended = await runTool(TOOL, args, { DATABASE_URL: url, CREDENTIALS_KEY: keys });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, sentence);
    assert.match(ended.stderr, /^[^\n]*\n$/);
    assert.ok(![one, two, "hunter2"].some((secret) => ended.stderr.includes(secret)));
  }
});
