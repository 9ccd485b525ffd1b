import assert from "node:assert/strict";
import { type Environment, flagsFor, hubOf, TestProcess } from "../../../lab/process.ts";
import { SQLITE } from "../../../lab/databases/helpers.ts";

async function processWith(failure: string, body: (process: TestProcess) => Promise<void>): Promise<void> {
  await using database = await SQLITE.database();
  const environment: Environment = {
    PORT: "0",
    DATABASE_URL: database.url,
    WHATSAPP_WS_URL: "ws://127.0.0.1:1/ws/chat", // nobody logs in here
    SOCKET_WORKERS: "1",
  };
  const script = "tests/faults/store/main_with_failure.ts";
  await using process = TestProcess.script(script, flagsFor(environment), environment, [failure]);
  await body(process);
}

for (const failure of ["outage", "driver", "fence"]) {
  Deno.test(`the service goes on, and counts it, when nobody waited for what failed: ${failure}`, async () => {
    await processWith(failure, async (process) => {
      await process.event("failure_survived");
      const { port } = await process.event("listening");
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      assert.match(await answer.text(), /^session_manager_failures_survived_total 1$/m);
      assert.equal((await (await hubOf(process)).get("nobody")).status, 404);
      process.kill("SIGTERM");
      assert.equal(await process.exit(), 0, process.stderr);
    });
  });
}

Deno.test("the service ends with a sentence when nobody waited for a fault of its own", async () => {
  await processWith("fault", async (process) => {
    assert.equal(await process.exit(), 1);
    assert.match(process.stderr, /^The service failed: TypeError: a fault of ours\n/);
  });
});
