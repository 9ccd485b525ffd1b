import assert from "node:assert/strict";
import { DatabaseUnusableError } from "../../db/mod.ts";
import { claimDatabase } from "../../db/sole_process.ts";

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
