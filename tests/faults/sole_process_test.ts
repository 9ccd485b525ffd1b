import assert from "node:assert/strict";
import { hubOf, serviceProcess } from "../../lab/process.ts";

Deno.test("a second process on the same SQLite file is refused with a sentence, and let in once the first is killed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sole-" });
  const environment = { DATABASE_URL: `sqlite:${folder}/sessions.db`, PORT: "0" };
  try {
    await using first = serviceProcess(environment);
    const hub = await hubOf(first);
    {
      await using second = serviceProcess(environment);
      assert.equal(await second.exit(), 78);
      assert.match(second.stderr, /^The database file .*sessions\.db is served by another process; .+\.\n$/);
    }
    assert.equal((await hub.get("nobody")).status, 404);
    first.kill("SIGKILL");
    await first.exit();
    await using third = serviceProcess(environment);
    assert.equal((await (await hubOf(third)).get("nobody")).status, 404);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
