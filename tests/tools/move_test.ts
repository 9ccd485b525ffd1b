import assert from "node:assert/strict";
import { parseConfig } from "../../config.ts";
import { loadOrCreateKeyFile, openStore, parseCredentialKeys } from "../../db/mod.ts";
import { databasePermissionFlags } from "../../permissions.ts";
import { askedOf } from "../../tools/besides.ts";
import { dialectTest, query, SQLITE } from "../../lab/databases/helpers.ts";
import { runTool } from "./cli.ts";
import { paste } from "./recipe.ts";

Deno.test("move may reach both databases and no other, and its URL is handed on by the environment", () => {
  const config = parseConfig({ DATABASE_URL: "sqlite:/var/lib/x/sessions.db" }, 2);
  const url = "mysql://user:hunter2@db.internal:3307/sessions?ssl-ca=/etc/ssl/db.pem";
  for (
    const [args, moveTo] of [[["--", "--to", url]], [[`--to=${url}`]], [["--"], url]] as [string[], string?][]
  ) {
    const asked = askedOf("move", args, moveTo);
    const [net, env, ...others] = databasePermissionFlags(config, asked.besides);
    assert.equal(net, "--allow-net=db.internal:3307");
    assert.match(env!, /^--allow-env=HOST,.*,LOG_LEVEL,MOVE_TO$/);
    assert.deepEqual(others, [
      "--allow-read=/var/lib/x,/etc/ssl/db.pem",
      "--allow-write=/var/lib/x",
      "--no-prompt",
    ]);
    assert.deepEqual([asked.args, asked.environment], [[], { MOVE_TO: url }]);
  }
  // What the environment says is nothing to one that undoes, or that was asked in another way.
  assert.deepEqual(askedOf("move", ["--undo"], url).environment, { MOVE_TO: "" });
  assert.deepEqual(askedOf("move", ["--form", url], url), {
    args: [],
    besides: { env: ["MOVE_TO"] },
    environment: { MOVE_TO: "" },
  });
});

dialectTest(SQLITE, "move tells how the key comes to another file, and what it has left", async (url) => {
  const path = url.slice("sqlite:".length);
  const to = `${path}.there/sessions.db`;
  const keys = await loadOrCreateKeyFile(path);
  {
    await using store = await openStore({ url, keys });
    await store.saveKeys("one", [{ type: "session", id: "1", value: "kept" }]);
  }
  await query(url, "alter table ll_whatsapp_qr_sessions add column shop_id integer");
  const moved = await runTool("move", ["--to", `sqlite:${to}`], { DATABASE_URL: url });
  assert.equal(moved.code, 0, moved.stderr);
  assert.ok(moved.lines.includes("Columns of your own were left behind: shop_id."), moved.lines.join("\n"));
  const copying = moved.lines.map((line) => /^ +the key file beside it: (.*)$/.exec(line)?.[1]).find(Boolean);
  assert.equal((await paste(copying!, {})).code, 0);
  const there = parseCredentialKeys((await Deno.readTextFile(`${to}.key`)).trim());
  await using store = await openStore({ url: `sqlite:${to}`, keys: there });
  assert.deepEqual([...await store.loadKeys("one", "session", ["1"])], [["1", "kept"]]);
  assert.equal((await Deno.stat(to)).mode! & 0o777, 0o600);
});
