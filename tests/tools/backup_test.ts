import assert from "node:assert/strict";
import { generateCredentialKey, migrate } from "../../db/mod.ts";
import { databasePermissionFlags } from "../../permissions.ts";
import { parseConfig } from "../../config.ts";
import { askedOf } from "../../tools/besides.ts";
import { dialectTest, open, SQLITE } from "../../lab/databases/helpers.ts";
import { runTool } from "./cli.ts";

Deno.test("backup and restore may reach the database's folder and that of the file, and no other", () => {
  const config = parseConfig({ DATABASE_URL: "sqlite:/var/lib/x/sessions.db" }, 2);
  const flagsOf = (tool: string, ...args: string[]) =>
    databasePermissionFlags(config, askedOf(tool, args, undefined).besides).filter((flag) =>
      !flag.startsWith("--allow-env")
    );
  const [read, write] = ["--allow-read=/var/lib/x", "--allow-write=/var/lib/x"];
  assert.deepEqual(flagsOf("backup", "--", "/mnt/b/copy.db"), [
    `${read},/mnt/b`,
    `${write},/mnt/b`,
    "--no-prompt",
  ]);
  assert.deepEqual(flagsOf("restore", "/mnt/b/copy.db", "--aside"), [`${read},/mnt/b`, write, "--no-prompt"]);
  for (const tool of ["backup", "restore", "migrate"]) {
    assert.deepEqual(flagsOf(tool), [read, write, "--no-prompt"]);
  }
});

dialectTest(SQLITE, "restore ends in 65 and says so when the key at hand opens nothing", async (url) => {
  {
    await using store = await open(url);
    await store.saveKeys("one", [{ type: "session", id: "1", value: "kept" }]);
  }
  const copy = `${url.slice("sqlite:".length)}.copy`;
  const made = await runTool("backup", ["--", copy], { DATABASE_URL: url });
  assert.equal(made.code, 0, made.stderr);
  for (const key of [{}, { CREDENTIALS_KEY: generateCredentialKey() }] as Record<string, string>[]) {
    const { code, lines } = await runTool("restore", [copy], {
      DATABASE_URL: `${url}.${crypto.randomUUID()}`,
      ...key,
    });
    assert.equal(code, 65, lines.join("\n"));
    assert.match(
      lines.at(-1) ?? "",
      /^1 of 1 sealed entries.*do not open with .*Restore the key that sealed them/,
    );
  }
});

dialectTest(
  SQLITE,
  "backup and restore end with one sentence and a code of their own when they cannot work",
  async (url) => {
    await migrate(url);
    const path = url.slice("sqlite:".length);
    const server = {
      DATABASE_URL: "mysql://root:hunter2@127.0.0.1:1/x",
      CREDENTIALS_KEY: generateCredentialKey(),
    };
    for (
      const [tool, code, sentence, args, environment] of [
        ["backup", 64, /^The one argument is the file/, [], {}],
        ["backup", 64, /^The one argument is the file/, ["--force"], {}],
        ["backup", 64, /^The one argument is the file/, [`${path}.a`, `${path}.b`], {}],
        ["backup", 78, /has a comma in it/, [`${path},a`], {}],
        ["backup", 78, /backed up by its own tool; docs\/backup\.md says how/, [`${path}.a`], server],
        ["backup", 78, /cannot be looked at/, [`${path}/beneath`], {}],
        ["backup", 78, /cannot be looked at/, ["/proc/copy"], {}],
        ["restore", 78, /cannot be looked at/, [`${path}/beneath`], {}],
        ["restore", 64, /^The arguments are the file/, ["--aside"], {}],
        ["restore", 78, /restored by its own client/, [`${path}.a`], server],
        ["restore", 78, /^There is no file/, [`${path}.a`], {}],
      ] as const
    ) {
      const ended = await runTool(tool, args, { DATABASE_URL: url, ...environment });
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr.trimEnd(), sentence);
      assert.match(ended.stderr, /^[^\n]*\n$/);
      assert.ok(!ended.stderr.includes("hunter2"));
    }
  },
);
