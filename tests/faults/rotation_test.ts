import assert from "node:assert/strict";
import { generateCredentialKey, parseCredentialKeys } from "../../db/mod.ts";
import { seal, unseal } from "../../db/sealing.ts";
import { connect } from "../../db/database.ts";
import { CREDENTIALS, LOGIN_KIND } from "../../db/schema.ts";
import { SEALED_TABLES } from "../../db/sealed_tables.ts";
import { query } from "../../lab/databases/helpers.ts";
import { serviceProcess } from "../../lab/process.ts";
import { scenario, type World } from "../e2e/world.ts";
import { type Gateway, startGateway } from "../../lab/simulator/mod.ts";
import { runTool } from "../tools/cli.ts";

/** Presences that outlast every delay of a busy machine; what is looked at again and again is looked at often. */
const BRISK = { ttlMs: 240_000, renewMs: 200, marginMs: 120_000, snapshotMs: 100, commandMs: 20 };
/** The front door is asked again and again. */
const UNLIMITED = { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0" };
const ROTATE = "rotate_credentials";

const idOf = (key: string): string => parseCredentialKeys(key).newestId;

/** How many rows each key has sealed, in all tables. */
async function sealedBy(url: string): Promise<Record<string, number>> {
  const sealed: Record<string, number> = {};
  for (const { table } of SEALED_TABLES) {
    const rows = await query(
      url,
      `select key_id, count(*) as n from ${table} where sealed is not null group by key_id`,
    );
    for (const { key_id, n } of rows) sealed[key_id] = (sealed[key_id] ?? 0) + Number(n);
  }
  return sealed;
}

/** What a replica that is a process of its own is told. */
function processOf({ url, rootKey }: Gateway, databaseUrl: string, key: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    CREDENTIALS_KEY: key,
    PORT: "0",
    WHATSAPP_WS_URL: url,
    WHATSAPP_ROOT_KEY: rootKey,
  };
}

/**
 * Waits until every one of these sessions is told as connected, whichever replica acts for it.
 * @param isMending whether they may be told as errors until then
 */
async function untilConnected(
  { hub }: Pick<World, "hub">,
  names: readonly string[],
  isMending = false,
): Promise<void> {
  for (const name of names) {
    for (let status = ""; status !== "connected"; ({ status } = await hub.session(name))) {
      assert.ok(isMending || status !== "error", `${name} is told as an error`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Waits until this replica acts for so many sessions. */
async function untilSupervised({ service }: World, count: number): Promise<void> {
  while (service.sessions.supervised < count) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** That none of what these replicas logged is an error of a session. */
function assertNoErrors(worlds: readonly World[], gateway: Gateway): void {
  for (const { log } of worlds) {
    assert.deepEqual(log.lines.filter(({ status }) => status === "error"), []);
    assert.deepEqual(log.lines.filter(({ event }) => event === "session_left_to_others"), []);
    assert.deepEqual(log.lines.filter(({ event }) => event === "logins_unreadable"), []);
  }
  assert.equal(gateway.stats.overlaps, 0);
}

scenario(
  "the key is rotated over rolling restarts, and no link is lost or told as an error",
  async (start) => {
    await using gateway = await startGateway();
    const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
    await using databases = new AsyncDisposableStack();
    const worlds: World[] = [];
    const names = ["sender_0", "sender_1", "sender_2", "sender_3"];
    let databaseUrl: string | undefined;
    const replica = async (CREDENTIALS_KEY: string): Promise<World> => {
      const world = await start({
        gateway,
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
        environment: { ...UNLIMITED, CREDENTIALS_KEY },
        supervision: { replica: BRISK },
      });
      databases.use(world);
      databaseUrl ??= world.config.databaseUrl;
      worlds.push(world);
      return world;
    };
    /** As a rolling restart does it; both have a share of the sessions in the end. */
    const roll = async (replicas: World[], key: string): Promise<World[]> => {
      const next: World[] = [];
      for (const [i, before] of replicas.entries()) {
        await before.stopService();
        const after = await replica(key);
        next.push(after);
        await untilConnected(after, names);
        // A number that is linked in the middle of it, by the replica that has just come.
        const name = `sender_${worlds.length}_${i}`;
        await after.link(name);
        names.push(name);
      }
      for (const world of next) await untilSupervised(world, 2);
      await untilConnected(next[0]!, names);
      return next;
    };

    let replicas = [await replica(old), await replica(old)];
    for (const [i, name] of names.entries()) await replicas[i % 2]!.link(name);
    await untilConnected(replicas[0]!, names);
    replicas = await roll(replicas, `${fresh},${old}`);
    assert.deepEqual(
      Object.keys(await sealedBy(databaseUrl!)),
      [idOf(old)],
      "nothing is sealed ahead of the rotation",
    );

    const environment = { DATABASE_URL: databaseUrl!, CREDENTIALS_KEY: `${fresh},${old}` };
    const rotation = await runTool(ROTATE, [], environment);
    assert.equal(rotation.code, 0, rotation.stderr);
    assert.equal(rotation.lines.at(-1), "CREDENTIALS_KEY may hold the newest key alone from now on.");
    await replicas[1]!.link("after");
    names.push("after");
    assert.deepEqual(
      Object.keys(await sealedBy(databaseUrl!)),
      [idOf(fresh)],
      "the fleet seals with the new key",
    );

    // One that goes back now would find nothing that it can open.
    await using back = serviceProcess(processOf(gateway, databaseUrl!, old));
    assert.equal(await back.exit(), 78, back.stderr);

    replicas = await roll(replicas, fresh);
    assert.deepEqual(Object.keys(await sealedBy(databaseUrl!)), [idOf(fresh)]);
    assertNoErrors(worlds, gateway);
    for (const phone of gateway.phones()) assert.deepEqual(phone.devices.map(({ online }) => online), [true]);
  },
  { only: "mysql" },
);

scenario("a rolling restart that is taken back in the middle costs no link", async (start) => {
  await using gateway = await startGateway();
  const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
  const replica = (CREDENTIALS_KEY: string, databaseUrl?: string) =>
    start({
      gateway,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      environment: { ...UNLIMITED, CREDENTIALS_KEY },
      supervision: { replica: BRISK },
    });
  await using first = await replica(old);
  const { databaseUrl } = first.config;
  const names = ["sender_0", "sender_1", "sender_2"];
  for (const name of names.slice(1)) await first.link(name);
  const ahead = await replica(`${fresh},${old}`, databaseUrl);
  await ahead.link("sender_0");
  await untilSupervised(ahead, 1);
  await ahead.stopService();
  // Everything that it has written is now the other one's, which has the old key alone.
  await untilSupervised(first, names.length);
  await untilConnected(first, names);
  await using back = await replica(old, databaseUrl);
  await untilSupervised(back, 1);
  await untilConnected(back, names);
  assertNoErrors([first, ahead, back], gateway);
}, { only: "mysql" });

scenario("a replica that goes straight to the new key is refused, and costs no link", async (start) => {
  await using gateway = await startGateway();
  const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
  await using first = await start({
    gateway,
    environment: { ...UNLIMITED, CREDENTIALS_KEY: old },
    supervision: { replica: BRISK },
  });
  await first.link("sender_1");
  const { databaseUrl } = first.config;
  await using wrong = serviceProcess(processOf(gateway, databaseUrl, fresh));
  assert.equal(await wrong.exit(), 78, wrong.stderr);
  assert.match(
    wrong.stderr,
    /^CREDENTIALS_KEY lacks a key that another replica has [^\n]* `deno task rotate-credentials` has finished\.\n$/,
  );

  const rotation = await runTool(ROTATE, [], {
    DATABASE_URL: databaseUrl,
    CREDENTIALS_KEY: `${fresh},${old}`,
  });
  assert.equal(rotation.code, 78);
  assert.match(
    rotation.stderr,
    /^1 of 1 replicas that are present cannot open [^\n]*, then run this again\.\n$/,
  );

  // The two steps at once: every replica has both keys, and then one has the new key alone before the rotation.
  await first.stopService();
  await using both = await start({
    gateway,
    databaseUrl,
    environment: { ...UNLIMITED, CREDENTIALS_KEY: `${fresh},${old}` },
    supervision: { replica: BRISK },
  });
  await both.untilStatus("sender_1", "connected");
  await using early = serviceProcess(processOf(gateway, databaseUrl, fresh));
  assert.equal(await early.exit(), 78, early.stderr);
  assert.equal((await both.hub.session("sender_1")).status, "connected");
  assert.deepEqual(Object.keys(await sealedBy(databaseUrl)), [idOf(old)]);
  assertNoErrors([first, both], gateway);
}, { only: "mysql" });

scenario(
  "what no replica can open comes back once one is there that can, and is left to it",
  async (start) => {
    await using gateway = await startGateway();
    const [old, fresh] = [generateCredentialKey(), generateCredentialKey()];
    const replica = (CREDENTIALS_KEY: string, databaseUrl?: string) =>
      start({
        gateway,
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
        environment: { ...UNLIMITED, CREDENTIALS_KEY },
        supervision: { replica: BRISK },
      });
    const names = ["sender_0", "sender_1", "sender_2"];
    const first = await replica(old);
    const { databaseUrl } = first.config;
    for (const name of names) await first.link(name);
    await first.stopService();

    await using lacking = await replica(fresh, databaseUrl);
    assert.equal(lacking.log.lines.find(({ event }) => event === "logins_unreadable")?.logins, 3);
    for (const name of names) await lacking.untilStatus(name, "error");
    const phone = await lacking.link("new");
    await using able = await replica(`${fresh},${old}`, databaseUrl);
    await untilConnected(able, [...names, "new"], true);
    for (const name of names) assert.ok(able.service.sessions.isSupervised(name), name);

    // A session of the one that lacks a key, whose login another had sealed with it: found out when it comes back.
    const oldKeys = parseCredentialKeys(old);
    const place = { instanceId: "new", kind: LOGIN_KIND, name: "" };
    const owner = lacking.service.sessions.isSupervised("new") ? lacking : able;
    assert.equal(owner, lacking);
    const database = await connect(databaseUrl);
    const login = database.db.selectFrom(CREDENTIALS).select("sealed")
      .where("instance_id", "=", "new").where("kind", "=", LOGIN_KIND);
    const { sealed } = await login.executeTakeFirstOrThrow();
    const text = unseal(parseCredentialKeys(fresh), place, sealed!);
    await database.db.updateTable(CREDENTIALS)
      .set({ sealed: seal(oldKeys, place, text), key_id: oldKeys.newestId })
      .where("instance_id", "=", "new").where("kind", "=", LOGIN_KIND).execute();
    await database.close();
    const left = lacking.log.next(({ event }) => event === "session_left_to_others");
    lacking.log.lines.length = 0;
    gateway.drop(phone);
    assert.equal((await left).instance_id, "new");
    await able.untilStatus("new", "connected");
    assert.ok(able.service.sessions.isSupervised("new"));
    assert.deepEqual(lacking.log.lines.filter(({ status }) => status === "error"), []);
    assert.equal(gateway.stats.overlaps, 0);
  },
  { only: "mysql" },
);

scenario("a start is not held up for good by the keys of a replica that is dead", async (start) => {
  await using gateway = await startGateway();
  const key = generateCredentialKey();
  await using before = await start({ gateway, environment: { CREDENTIALS_KEY: key } });
  const { databaseUrl } = before.config;
  await before.link("sender");
  await before.stopService();
  // Killed long ago, with a key that nobody has any more and that sealed something.
  const [dead, lost] = [crypto.randomUUID(), "0123456789abcdef"];
  await query(
    databaseUrl,
    "insert into ll_whatsapp_replicas (replica_id, doubtful_at, expires_at) " +
      `values ('${dead}', utc_timestamp(3) - interval 1 day, utc_timestamp(3) - interval 1 day)`,
  );
  await query(
    databaseUrl,
    `insert into ll_whatsapp_replica_keys (replica_id, key_ids, seals_with) values ('${dead}', '${lost}', '${lost}')`,
  );
  await query(
    databaseUrl,
    `insert into ll_whatsapp_credential_keys (key_id, seals) values ('${lost}', null)`,
  );
  await using after = await start({ gateway, databaseUrl, environment: { CREDENTIALS_KEY: key } });
  await after.untilStatus("sender", "connected");
  assert.deepEqual(
    await after.rows(`select replica_id from ll_whatsapp_replicas where replica_id = '${dead}'`),
    [],
  );
}, { only: "mysql" });
