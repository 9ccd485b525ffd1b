import assert from "node:assert/strict";
import { type Answer, fault } from "../../../lab/hub.ts";
import { startOn, type World } from "../../e2e/world.ts";
import { TestServer } from "../../../lab/databases/server.ts";
import { ownServerProgram, wantedKind } from "../../../lab/databases/server_program.ts";
import { mysql, SQLITE } from "../../../lab/databases/helpers.ts";
import { run } from "../../../lab/programs.ts";
import { faultScenario, ownServer, PATIENT } from "./own_server.ts";

const server = await ownServer();

function unavailable(answer: Answer, expected: string): void {
  assert.equal(fault(answer), `500 ${expected}`);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

async function readiness(world: World): Promise<[number, string]> {
  const response = await fetch(`${world.origin}/readyz`);
  const { checks } = await response.json();
  return [response.status, checks.database];
}

/** What is true of a database that answers and takes nothing: nothing is lost, and what is told is true. */
async function writesNothing(world: World, forbid: () => Promise<unknown>, allow: () => Promise<unknown>) {
  const { hub, gateway } = world;
  const phone = await world.link("dropped");
  const kept = await world.link("kept");
  const { qr_string } = await hub.qr("scanned");
  assert.deepEqual(await readiness(world), [200, "ok"]);
  await forbid();
  await world.untilReadiness(503);
  assert.equal((await readiness(world))[1], "failed");
  const stalled = ["dropped", "scanned"].map((id) => world.untilStalled(id));
  gateway.drop(phone);
  const scanner = gateway.phone();
  const scanned = scanner.scan(qr_string);
  await Promise.all(stalled);
  for (const id of ["dropped", "scanned"]) unavailable(await hub.get(id), "SESSION_MANAGER_ERROR");
  unavailable(await hub.requestQr("new"), "QR_GENERATION_FAILED");
  assert.equal(fault(await hub.get("new")), "404 SESSION_NOT_FOUND");
  assert.equal((await hub.session("kept")).status, "connected");
  assert.equal(scanner.devices.length, 0, "WhatsApp knows of no device whose login is not durable");
  await allow();
  assert.equal((await scanned).outcome, "paired");
  for (const id of ["dropped", "scanned", "kept"]) await world.untilStatus(id, "connected");
  await world.untilReadiness(200);
  assert.equal((await hub.requestQr("new")).status, 200);
  assert.deepEqual([phone, kept, scanner].map(({ devices }) => devices[0]?.logins), [2, 1, 1]);
  assert.equal(gateway.stats.overlaps, 0);
}

faultScenario(
  server,
  "the service is not ready, and loses nothing, while the server is read-only",
  async (start, server) => {
    const { url, name } = await server.database();
    for (const host of ["localhost", "127.0.0.1"]) {
      await server.run(`drop user if exists 'app'@'${host}'`);
      await server.run(`create user 'app'@'${host}' identified by 'secret'`);
      await server.run(`grant all on ${name}.* to 'app'@'${host}'`);
    }
    const databaseUrl = url.replace("root:@", "app:secret@");
    assert.notEqual(databaseUrl, url);
    await using world = await start({ ...PATIENT, databaseUrl });
    try {
      await writesNothing(
        world,
        () => server.run("set global read_only = 1"),
        () => server.run("set global read_only = 0"),
      );
    } finally {
      await server.run("set global read_only = 0");
    }
  },
);

/** Whether this process may mount a file system. */
async function mayMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    const { code } = await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
    if (code === 0) await run("umount", [folder]);
    return code === 0;
  } finally {
    await Deno.remove(folder);
  }
}

/** A disk of its own, of so many MiB, with nothing on it. */
async function onDisk(megabytes: number, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const { code } = await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]);
  assert.equal(code, 0);
  try {
    await body(folder);
  } finally {
    await run("umount", [folder]);
    await Deno.remove(folder);
  }
}

/** Takes what room there is, to the last byte; what is there already stays. */
async function fill(folder: string): Promise<void> {
  await run("sh", ["-c", `cat /dev/zero > ${folder}/filler`]);
}

const unmounted = await mayMount() ? "" : " (skipped: no mount here)";
const program = await ownServerProgram();

Deno.test({
  name: `the service is not ready, and loses nothing, while the disk is full, on sqlite${unmounted}`,
  ignore: unmounted !== "",
  fn: () =>
    onDisk(8, async (folder) => {
      await using databases = new AsyncDisposableStack();
      const databaseUrl = `sqlite:${folder}/sessions.db`;
      await using world = await startOn(databases, SQLITE)({ ...PATIENT, databaseUrl });
      await writesNothing(world, () => fill(folder), () => Deno.remove(`${folder}/filler`));
    }),
});

// MySQL on a disk of that size has no room to begin with.
if (wantedKind() === "mariadb") {
  Deno.test({
    name: `the service is not ready once the server has no room for what is written, on mysql${unmounted}`,
    ignore: program === undefined || unmounted !== "",
    fn: () =>
      onDisk(192, async (folder) => {
        const usual = Deno.env.get("TMPDIR");
        Deno.env.set("TMPDIR", folder);
        await using server = await TestServer.start(program!).finally(() =>
          usual === undefined ? Deno.env.delete("TMPDIR") : Deno.env.set("TMPDIR", usual)
        );
        await using databases = new AsyncDisposableStack();
        await using world = await startOn(databases, await mysql(server))();
        const { hub } = world;
        await hub.qr("shown");
        await fill(folder);
        // What has room in the tables as they are is written, and that is no fault.
        let n = 0;
        for (;;) {
          const answer = await hub.requestQr(`new_${n++}`);
          if (answer.status === 200) continue;
          unavailable(answer, "QR_GENERATION_FAILED");
          break;
        }
        assert.deepEqual(await readiness(world), [503, "failed"]);
        assert.equal((await hub.get("shown")).status, 200);
        await Deno.remove(`${folder}/filler`);
        assert.equal((await hub.requestQr(`new_${n}`)).status, 200);
        await world.untilReadiness(200);
      }),
  });
}
