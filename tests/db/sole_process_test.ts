import assert from "node:assert/strict";
import { DatabaseUnusableError } from "../../db/mod.ts";
import { claimDatabase, keysOfServer } from "../../db/sole_process.ts";

Deno.test("claimDatabase() makes the folder of a database that is not there yet, and lets one in", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const url = `sqlite:${folder}/data/new.db`;
    {
      using _claim = claimDatabase(url);
      assert.throws(() => claimDatabase(url), DatabaseUnusableError);
    }
    claimDatabase(url)[Symbol.dispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("keysOfServer() tells the keys of the process that has the file now, and of none before it", async () => {
  const folder = await Deno.makeTempDir();
  const url = `sqlite:${folder}/some.db`;
  try {
    assert.equal(keysOfServer(url), null);
    {
      using claim = claimDatabase(url);
      assert.equal(keysOfServer(url), null, "it has not said");
      claim.tellKeys(["0123456789abcdef", "00000000ffffffff"]);
      assert.deepEqual(keysOfServer(url), new Set(["0123456789abcdef", "00000000ffffffff"]));
      claim.tellKeys(["0123456789abcdef"]);
      assert.deepEqual(keysOfServer(url), new Set(["0123456789abcdef"]));
    }
    assert.equal(keysOfServer(url), null, "nobody has it");
    using _next = claimDatabase(url);
    assert.equal(keysOfServer(url), null, "the next has not said");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.equal(keysOfServer("sqlite::memory:"), null);
  assert.equal(keysOfServer("mysql://root@127.0.0.1/x"), null);
});
