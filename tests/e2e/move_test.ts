import assert from "node:assert/strict";
import { parseConfig } from "../../config.ts";
import { generateCredentialKey } from "../../db/mod.ts";
import { databasePermissionFlags } from "../../permissions.ts";
import { askedOf } from "../../tools/besides.ts";
import { dialectTest, mysql, query, SQLITE } from "../../lab/databases/helpers.ts";
import { HoldingProxy } from "../db/holding_proxy.ts";
import { testServer } from "../../lab/databases/server.ts";
import { type Phone, startGateway } from "../../lab/simulator/mod.ts";
import { runTool } from "../tools/cli.ts";
import { paste, Recipe } from "../tools/recipe.ts";
import { type Environment, hubOf, serviceProcess, TestProcess } from "../../lab/process.ts";
import { QUICK_LINKS } from "./scenarios.ts";
import { World } from "./world.ts";

const recipe = await Recipe.read("docs/moving.md");
const MYSQL = await mysql();

const SECRET = "hunter2 & co";

/** An account that may do what the recipe says and nothing else. */
async function account(url: string): Promise<{ url: string; drop: () => Promise<unknown> }> {
  const server = (await testServer())!;
  const name = `move_${crypto.randomUUID().slice(0, 8)}`;
  const own = new URL(url);
  await server.run(`create user ${name}@'%' identified by '${SECRET}'`);
  await server.run(
    `grant create, alter, select, insert, update, delete on ${own.pathname.slice(1)}.* to ${name}@'%'`,
  );
  [own.username, own.password] = [name, encodeURIComponent(SECRET)];
  return { url: own.href, drop: () => server.run(`drop user ${name}@'%'`) };
}

/** Every session and every login that waits, as far as both dialects tell it alike. */
async function told(url: string): Promise<unknown[]> {
  const rows = await query(
    url,
    `select s.id, s.instance_id, s.status, s.created_at, s.updated_at, s.connected_at, r.id as retired, r.retired_at
      from ll_whatsapp_qr_sessions s left join ll_whatsapp_retired_logins r on r.instance_id = s.instance_id
      order by s.id`,
  );
  return rows.map((row) =>
    Object.values(row).map((value) =>
      typeof value === "string" ? value.replace(/^(\d{4}-\d\d-\d\d)T(.*)Z$/, "$1 $2") : value
    )
  );
}

dialectTest(
  MYSQL,
  "sessions move from a file to a server by the recipe, and back, and are connected again without a scan",
  async (url) => {
    await using gateway = await startGateway(QUICK_LINKS.gatewayOptions);
    await using file = await SQLITE.database();
    await using back = await SQLITE.database();
    const { url: MOVE_TO, drop } = await account(url);
    const phones: Phone[] = [];
    try {
      let goner: Phone;
      {
        await using world = await World.start({ databaseUrl: file.url, gateway });
        for (const id of ["one", "two", "three"]) phones.push(await world.link(id));
        goner = await world.link("leaving");
        // Its login waits to be unlinked, for WhatsApp is away.
        await gateway.goDown();
        assert.equal((await world.hub.disconnected("leaving", "LOGOUT")).status, 200);
      }
      const before = await told(file.url);
      assert.equal(before.filter((row) => (row as unknown[])[6] !== null).length, 1);
      const key = (await Deno.readTextFile(`${file.url.slice("sqlite:".length)}.key`)).trim();

      const blocks = recipe.blocks("sh", "The move");
      assert.equal(blocks.length, 1);
      const moved = await paste(blocks[0]!, { DATABASE_URL: file.url, MOVE_TO });
      assert.equal(moved.code, 0, moved.stderr);
      for (const secret of [SECRET, encodeURIComponent(SECRET), key]) {
        assert.ok(!(moved.stdout + moved.stderr).includes(secret));
      }
      assert.deepEqual(await told(url), before);
      // What it tells the operator to set is what opens everything.
      const line = moved.stdout.split("\n").map((line) => line.trim()).find((line) =>
        line.startsWith("CREDENTIALS_KEY=")
      );
      const set = await paste(`${line}; printf %s "$CREDENTIALS_KEY"`, {});
      assert.equal(set.stdout, key);

      // The old one refuses, and names the way.
      await using refused = serviceProcess({ DATABASE_URL: file.url, PORT: "0" });
      assert.equal(await refused.exit(), 78);
      assert.match(
        refused.stderr,
        /^This database was moved to [^ ]+\/store_\w+, or a move there has begun, and a service/,
      );

      await gateway.comeBack();
      const environment = { CREDENTIALS_KEY: set.stdout };
      {
        await using world = await World.start({ databaseUrl: url, gateway, environment });
        for (const id of ["one", "two", "three"]) await world.untilStatus(id, "connected");
        for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
        if (goner.devices.length > 0) await gateway.when("logout", { phone: goner.number });
        assert.deepEqual(goner.devices, [], "the login that waited was unlinked");
      }
      {
        const returned = await runTool("move", ["--to", back.url], { DATABASE_URL: MOVE_TO, ...environment });
        assert.equal(returned.code, 0, returned.stderr);
      }
      await using world = await World.start({ databaseUrl: back.url, gateway, environment });
      for (const id of ["one", "two", "three"]) await world.untilStatus(id, "connected");
      for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [3]);
      assert.equal(gateway.stats.overlaps, 0);
    } finally {
      await drop();
    }
  },
);

/** The tool itself, as its launcher starts it, so that a signal reaches it. */
function mover(environment: Environment, url: string): TestProcess {
  const { besides, args } = askedOf("move", ["--to", url], undefined);
  const flags = databasePermissionFlags(parseConfig(environment, 2), besides);
  return TestProcess.script("tools/move.ts", flags, { ...environment, MOVE_TO: url }, args);
}

dialectTest(MYSQL, "a move that is killed costs nothing, and the same command completes it", async (url) => {
  await using gateway = await startGateway(QUICK_LINKS.gatewayOptions);
  await using file = await SQLITE.database();
  const environment = { DATABASE_URL: file.url };
  const phones: Phone[] = [];
  {
    await using world = await World.start({ databaseUrl: file.url, gateway });
    for (const id of ["one", "two"]) phones.push(await world.link(id));
  }
  const key = (await Deno.readTextFile(`${file.url.slice("sqlite:".length)}.key`)).trim();
  const before = await told(file.url);
  const onServer = { DATABASE_URL: url, CREDENTIALS_KEY: key, PORT: "0" };
  const marks = async () =>
    (await query(file.url, "select name from ll_whatsapp_migrations where name like 'mov%'")).length;
  const { proxy, url: through } = await HoldingProxy.before(url);
  await using _proxy = proxy;
  // While its tables are made, while rows are copied, and when nothing but the last mark is left.
  for (
    const [statement, isLeft] of [
      ["insert into `ll_whatsapp_migrations` (`name`, `applied_at`) values", false],
      ["insert into `ll_whatsapp_credentials`", false],
      ["delete from `ll_whatsapp_migrations`", true],
    ] as const
  ) {
    proxy.holdFrom(statement);
    await using tool = mover(environment, through);
    await Promise.race([proxy.held, tool.exit()]);
    assert.ok(!tool.ended, tool.stderr);
    tool.kill("SIGKILL");
    await tool.exit();
    proxy.forget();
    assert.equal(await marks(), Number(isLeft));
    if (isLeft) {
      await using old = serviceProcess({ ...environment, PORT: "0" });
      assert.equal(await old.exit(), 78);
    }
    if (statement.includes("migrations` (")) continue;
    await using half = serviceProcess(onServer);
    assert.equal(await half.exit(), 78);
    assert.match(half.stderr, /^A move into this database has not come to its end/);
  }
  const completed = await runTool("move", ["--to", through], environment);
  assert.equal(completed.code, 0, completed.stderr);
  assert.deepEqual(await told(url), before);
  await using world = await World.start({ databaseUrl: url, gateway, environment: { CREDENTIALS_KEY: key } });
  for (const id of ["one", "two"]) await world.untilStatus(id, "connected");
  for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
});

dialectTest(
  MYSQL,
  "a move is refused while a service runs on either database, and where sessions are",
  async (url) => {
    await using gateway = await startGateway(QUICK_LINKS.gatewayOptions);
    await using file = await SQLITE.database();
    const places = {
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
      PORT: "0",
    };
    const onFile = { ...places, DATABASE_URL: file.url };
    const onServer = { ...places, DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() };
    const move = (sentence: RegExp) =>
      runTool("move", ["--", `--to=${url}`], { DATABASE_URL: file.url }).then(({ code, stderr }) => {
        assert.equal(code, 78, stderr);
        assert.match(stderr, sentence);
      });
    {
      await using service = serviceProcess(onFile);
      await hubOf(service);
      await move(/^The database file .* is served by another process/);
    }
    {
      await using service = serviceProcess(onServer);
      const hub = await hubOf(service);
      await move(/^A service runs on the database of --to \(1 replica\); stop it first\.$/m);
      await hub.qr("there");
      service.kill("SIGKILL");
      await service.exit();
    }
    // It ended without a word: once its presence has been seen to be over, what it left behind is the reason.
    await move(/^The database of --to already holds 1 session; name an empty one\. Nothing was moved\.$/m);
  },
);

Deno.test("move ends with one sentence and its own code when it cannot work at all", async () => {
  await using file = await SQLITE.database();
  await runTool("migrate", [], { DATABASE_URL: file.url });
  for (
    const [code, sentence, args] of [
      [64, /^The argument is --to with the URL/, []],
      [64, /^The argument is --to with the URL/, ["--to"]],
      [64, /^The argument is --to with the URL/, ["mysql://root:hunter2@127.0.0.1:1/x"]],
      [64, /^The argument is --to with the URL/, ["--undo", "--to", "mysql://root:hunter2@127.0.0.1:1/x"]],
      [69, /^The database of --to cannot be reached; the same command begins anew\.$/, [
        "--to",
        "mysql://root:hunter2@127.0.0.1:1/x",
      ]],
      [78, /^--to has to be /, ["--to", "postgres://root:hunter2@127.0.0.1/x"]],
      [78, /^--to has to be mysql:\/\/user:password@host/, ["--to", "mysql://root:hunter2@127.0.0.1"]],
      [78, /^--to takes a whole number/, ["--to", "mysql://root:hunter2@127.0.0.1:1/x?pool=0"]],
      [78, /^This database has not been moved away\.$/, ["--undo"]],
    ] as const
  ) {
    const ended = await runTool("move", args, { DATABASE_URL: file.url });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr.trimEnd(), sentence);
    assert.match(ended.stderr, /^[^\n]*\n$/);
    assert.ok(!ended.stderr.includes("hunter2"));
  }
});
