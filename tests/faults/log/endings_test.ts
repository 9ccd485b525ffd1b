import assert from "node:assert/strict";
import { flagsFor, hubOf, TestProcess } from "../../../lab/process.ts";
import { startCommand } from "../../../tools/start.ts";
import { environmentIn, LoggedService, makePipe, redirected, withFolder } from "./logged_service.ts";

const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** A pipe that is full, and that nobody reads, as both streams of a program. */
const FULL_PIPE = 'exec 9<>"$PIPE"; head -c 65536 /dev/zero >&9; exec >&9 2>&9';

const STREAMS: Readonly<Record<string, string>> = {
  "are full": ">/dev/full 2>/dev/full",
  "are closed": ">&- 2>&-",
  "are read by nobody": FULL_PIPE,
};

for (const [how, redirection] of Object.entries(STREAMS)) {
  Deno.test(`a start that cannot be still ends with its own exit code when its streams ${how}`, async () => {
    await withFolder(async (folder) => {
      const pipe = await makePipe(`${folder}/pipe`);
      const environment = environmentIn(folder);
      const args = startCommand(root, flagsFor(environment));
      using _taken = Deno.listen({ hostname: "127.0.0.1", port: Number(environment.PORT) });
      await using unusable = redirected(redirection, args, { ...environment, PIPE: pipe });
      assert.equal(await unusable.exit(), 78);
      await using misconfigured = redirected(redirection, args, {
        ...environment,
        PIPE: pipe,
        QR_WAIT_MS: "x",
      });
      assert.equal(await misconfigured.exit(), 78);
    });
  });
}

Deno.test("a service that is told twice to stop says that it was told, and ends", async () => {
  await withFolder(async (folder) => {
    const log = `${folder}/log`;
    await using service = new LoggedService('>"$LOG"', { ...environmentIn(folder), LOG: log });
    await service.answers();
    service.process.kill("SIGTERM");
    service.process.kill("SIGINT");
    assert.ok([0, 130].includes(await service.process.exit()));
    assert.match(await Deno.readTextFile(log), /"event":"stopping"[^\n]*\n$|"event":"stopped"[^\n]*\n$/);
  });
});

for (const how of ["throw", "reject"]) {
  Deno.test(`what nobody catches, a ${how}, is in the log before the service ends with 1, and no secret is`, async () => {
    await withFolder(async (folder) => {
      await using service = unruly(folder, how);
      assert.equal(await service.exit(), 1);
      const { level, err } = await service.event("process_failed");
      assert.deepEqual({ level, type: err.type, message: err.message }, {
        level: "error",
        type: "TypeError",
        message: "nobody catches [redacted]",
      });
      assert.match(service.stderr, /^The service failed: TypeError: nobody catches \[redacted\]\n {4}at /);
      assert.ok(!service.lines.join().includes("aHVudGVy"));
    });
  });
}

Deno.test("what libraries print is a line of the log, without secrets, and nothing where it is a worker's", async () => {
  await withFolder(async (folder) => {
    await using service = unruly(folder, "nothing");
    const hub = await hubOf(service);
    const { level, text } = await service.event("printed");
    assert.deepEqual({ level, text }, { level: "warn", text: "a library prints Error: [redacted] [object]" });
    await hub.requestQr("any");
    await service.event("socket_closed");
    service.kill("SIGTERM");
    assert.equal(await service.exit(), 0);
    assert.equal(service.stderr, "");
    for (const line of service.lines) JSON.parse(line);
    assert.ok(!/hunter2|aHVudGVy/.test(service.lines.join()));
  });
});

function unruly(folder: string, how: string): TestProcess {
  const environment = environmentIn(folder);
  const flags = flagsFor(environment).map((flag) =>
    flag.startsWith("--allow-read=") ? `${flag},${root}/tests/whatsapp` : flag
  );
  return TestProcess.script("tests/faults/log/unruly_main.ts", flags, environment, [how]);
}
