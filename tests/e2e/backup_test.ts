import assert from "node:assert/strict";
import { generateCredentialKey } from "../../db/mod.ts";
import { dialectTest, mysql, query, SQLITE, type TestDialect } from "../../lab/databases/helpers.ts";
import { testServer } from "../../lab/databases/server.ts";
import { type Gateway, type Phone, startGateway } from "../../lab/simulator/mod.ts";
import { paste, Recipe } from "../tools/recipe.ts";
import type { Hub } from "../../lab/hub.ts";
import { type Environment, hubOf, serviceProcess } from "../../lab/process.ts";

const recipe = await Recipe.read("docs/backup.md");

function environmentOf(gateway: Gateway, DATABASE_URL: string) {
  return {
    PORT: "0",
    DATABASE_URL,
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    SOCKET_WORKERS: "1",
  };
}

async function link(gateway: Gateway, hub: Hub, instanceId: string): Promise<Phone> {
  const phone = gateway.phone();
  const online = gateway.when("online", { phone: phone.number });
  await phone.scan((await hub.qr(instanceId)).qr_string);
  await online;
  return phone;
}

/** Starts the service, and waits until WhatsApp has seen these phones' devices log in again. */
async function startsConnected(gateway: Gateway, environment: Environment, phones: readonly Phone[]) {
  const online = phones.map((phone) => gateway.when("online", { phone: phone.number }));
  const process = serviceProcess(environment);
  const hub = await hubOf(process);
  await Promise.all(online);
  return { process, hub };
}

/** Runs these blocks one after the other; each has to succeed. */
async function follow(blocks: readonly string[], environment: Environment): Promise<string> {
  let said = "";
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    const { code, stdout, stderr } = await paste(block, environment);
    assert.equal(code, 0, `${block}\n${stdout}\n${stderr}`);
    said += stdout;
  }
  return said;
}

async function stop(process: ReturnType<typeof serviceProcess>): Promise<void> {
  process.kill("SIGTERM");
  assert.equal(await process.exit(), 0, process.stderr);
}

/** The recipe's own programs come with MariaDB's client, whichever server there is. */
async function withClient(dialect: TestDialect): Promise<TestDialect> {
  const found = await Promise.all(
    ["mariadb", "mariadb-dump"].map((name) => paste(`command -v ${name}`, {})),
  );
  const isThere = found.every(({ code }) => code === 0);
  return isThere ? dialect : { ...dialect, skipped: dialect.skipped ?? "no mariadb-dump here" };
}

Deno.test("the recipe names every variable that its commands use", () => {
  const blocks = [...recipe.blocks("sh", "SQLite"), ...recipe.blocks("sh", "MySQL and MariaDB")];
  const used = new Set(blocks.join("\n").match(/(?<=\$)[A-Z_]+/g));
  assert.deepEqual([...used].sort(), recipe.variables.sort());
});

dialectTest(
  SQLITE,
  "a live database is backed up by the recipe, and its links come back where it is restored, key and all",
  async (url) => {
    await using gateway = await startGateway({ newDevicePreKeys: 1 });
    const folder = await Deno.makeTempDir();
    try {
      const DATABASE = url.slice("sqlite:".length);
      const environment = environmentOf(gateway, url);
      const given = {
        ...environment,
        DATABASE,
        BACKUP: `${folder}/backup.db`,
        KEY_BACKUP: `${folder}/kept.key`,
      };
      const restore = recipe.blocks("sh", "SQLite", "Restore");
      const phones: Phone[] = [];
      {
        await using service = serviceProcess(environment);
        const hub = await hubOf(service);
        for (const id of ["one", "two"]) phones.push(await link(gateway, hub, id));
        const goner = await link(gateway, hub, "unlinked");
        const said = await follow(recipe.blocks("sh", "SQLite", "Back up"), given);
        assert.match(said, /3 sessions, 3 of them with a login\.\nThe key is not in it: keep the key file/);
        for (const file of [given.BACKUP, given.KEY_BACKUP]) {
          assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
        }
        // Never over a file that is there, and never under a service that runs.
        const again = await paste(recipe.blocks("sh", "SQLite", "Back up")[0]!, given);
        assert.deepEqual([again.code, /is there already/.test(again.stderr)], [78, true], again.stderr);
        await link(gateway, hub, "later");
        const unlinked = gateway.when("logout", { phone: goner.number });
        assert.equal((await hub.disconnected("unlinked", "LOGOUT")).status, 200);
        await unlinked;
        const served = await paste(restore[0]!, given);
        assert.deepEqual([served.code, /served by another process/.test(served.stderr)], [78, true]);
        assert.equal((await hub.session("one")).status, "connected");
        await stop(service);
      }

      // Another machine: the key first, then the copy.
      const elsewhere = `${folder}/new/sessions.db`;
      const moved = { ...given, DATABASE: elsewhere, DATABASE_URL: `sqlite:${elsewhere}` };
      const said = await follow([...restore].reverse(), moved);
      assert.match(said, /All \d+ sealed entries of 3 sessions open\./);
      assert.equal((await Deno.stat(elsewhere)).mode! & 0o777, 0o600);
      {
        const { process, hub } = await startsConnected(gateway, { ...environment, ...moved }, phones);
        await using service = process;
        for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
        assert.equal((await hub.get("later")).status, 404);
        // The login in the backup has been unlinked since: WhatsApp says so.
        await process.event("session_changed", { instance_id: "unlinked", status: "disconnected" });
        assert.equal((await hub.session("unlinked")).status, "disconnected");
        await stop(service);
      }
      assert.equal(gateway.stats.overlaps, 0);

      // The same place: what was there is kept.
      await follow(restore.slice(0, 1), given);
      const ids = (of: string) =>
        query(of, "select instance_id as id from ll_whatsapp_qr_sessions order by id");
      assert.equal((await ids(url)).length, 3);
      const parent = DATABASE.slice(0, DATABASE.lastIndexOf("/"));
      const [aside, ...others] = [...Deno.readDirSync(parent)].map(({ name }) => name)
        .filter((name) => name.includes(".aside-"));
      assert.deepEqual(others, []);
      assert.equal((await ids(`sqlite:${parent}/${aside}`)).length, 4);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

dialectTest(
  await withClient(await mysql()),
  "a live database is dumped by the recipe, and its links come back from the dump of replicas that are gone",
  async (url) => {
    await using gateway = await startGateway({ newDevicePreKeys: 1 });
    const folder = await Deno.makeTempDir();
    const server = (await testServer())!;
    const { hostname, port, pathname, username, password } = new URL(url);
    const DB = pathname.slice(1);
    const user = `backup_${crypto.randomUUID().slice(0, 8)}`;
    await server.run(`create user ${user}@'%' identified by 'b4ck up'`);
    await server.run(`grant select on ${DB}.* to ${user}@'%'`);
    try {
      const environment = { ...environmentOf(gateway, url), CREDENTIALS_KEY: generateCredentialKey() };
      const given = { ...environment, DB, DUMP: `${folder}/dump.sql`, LOGIN: `${folder}/backup.cnf` };
      const login = (name: string, secret: string) =>
        Deno.writeTextFile(
          given.LOGIN,
          recipe.blocks("ini", "MySQL and MariaDB", "Back up")[0]!.replace("db.internal", hostname)
            .replace("3306", port).replace("=backup", `=${name}`).replace("secret", secret),
          { mode: 0o600 },
        );
      await login(user, "b4ck up");
      const [isStopped, empty, restore, ...others] = recipe.blocks("sh", "MySQL and MariaDB", "Restore");
      assert.deepEqual(others, []);
      const phones: Phone[] = [];
      {
        await using service = serviceProcess(environment);
        const hub = await hubOf(service);
        for (const id of ["one", "two"]) phones.push(await link(gateway, hub, id));
        await follow(recipe.blocks("sh", "MySQL and MariaDB", "Back up"), given);
        assert.equal((await Deno.stat(given.DUMP)).mode! & 0o777, 0o600);
        assert.match(await Deno.readTextFile(given.DUMP), /INSERT INTO `ll_whatsapp_replicas` VALUES/);
        await link(gateway, hub, "later");
        assert.equal((await paste(isStopped!, given)).code, 1);
        await stop(service);
      }
      await login(decodeURIComponent(username), decodeURIComponent(password));
      await follow([isStopped!, empty!], given);
      assert.deepEqual(await query(url, "show tables"), []);
      assert.match(await follow([restore!], given), /All \d+ sealed entries of 2 sessions open\./);
      const { process, hub } = await startsConnected(gateway, environment, phones);
      await using service = process;
      for (const phone of phones) assert.deepEqual(phone.devices.map(({ logins }) => logins), [2]);
      assert.equal((await hub.get("later")).status, 404);
      assert.equal(gateway.stats.overlaps, 0);
      await stop(service);
    } finally {
      await server.run(`drop user ${user}@'%'`);
      await Deno.remove(folder, { recursive: true });
    }
  },
);
