import assert from "node:assert/strict";
import { connect } from "../../db/database.ts";
import { SqlStore, type Store } from "../../db/store.ts";
import { FencedError } from "../../sessions/ports/store.ts";
import type { Lease } from "../../domain/leases.ts";
import type { LeaseStore } from "../../cluster/ports.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { RefusingProxy } from "./refusing_proxy.ts";
import { testServer, untilLockWait } from "../../lab/databases/server.ts";
import { adopt, KEYS, mysql, over, query, saveNew, type TestDialect } from "../../lab/databases/helpers.ts";

const TTL_MS = 60_000;
const ONE = "00000000-0000-4000-8000-000000000001";
const TWO = "00000000-0000-4000-8000-000000000002";
const NOW = Date.UTC(2026, 0, 4);

interface Desk {
  readonly store: Store;
  readonly leases: LeaseStore;
  readonly url: string;
  /** Takes a session that is free. */
  hold(instanceId: string, replica: string): Promise<Lease>;
  /** Ends a replica's presence, as others do that have watched it not being renewed. */
  expire(replica: string): Promise<void>;
}

const dialect: TestDialect = await mysql();

function test(name: string, body: (desk: Desk) => Promise<void>): void {
  Deno.test({
    name: `leases: ${name}${dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`}`,
    ignore: dialect.skipped !== undefined,
    fn: async () => {
      await using database = await dialect.database();
      const connected = await connect(database.url);
      await migrateDatabase(connected);
      await using store = new SqlStore(connected, KEYS);
      const { leases } = store;
      assert.ok(leases !== null);
      await leases.join(ONE, TTL_MS);
      await leases.join(TWO, TTL_MS);
      await body({
        store,
        leases,
        url: database.url,
        hold: async (instanceId, replica) => {
          const taking = await leases.take(instanceId, replica);
          assert.ok(taking.kind === "taken" && taking.lease !== null);
          return taking.lease;
        },
        expire: async (replica) => {
          const { presences } = await leases.clusterSnapshot();
          assert.equal(await leases.evict(replica, presences.get(replica)!.mark), true);
        },
      });
    },
  });
}

test("take() gives a session to one of fifty callers when it is new", async ({ leases }) => {
  const takings = await Promise.all(
    Array.from({ length: 50 }, (_, i) => leases.take("sender_51", i % 2 === 0 ? ONE : TWO)),
  );
  const owners = new Set(takings.map((taking) => taking.kind === "held" ? taking.by : taking.lease?.replica));
  assert.equal(owners.size, 1);
});

test("take() says who has a session, and takes it once that one is gone", async ({ leases, hold, expire }) => {
  const first = await hold("sender_51", ONE);
  assert.deepEqual(await leases.take("sender_51", TWO), { kind: "held", by: ONE });
  await expire(ONE);
  const second = await hold("sender_51", TWO);
  assert.ok(second.epoch > first.epoch);
});

test("take() is refused to a replica whose presence has run out", async ({ leases, expire }) => {
  await expire(ONE);
  await assert.rejects(leases.take("sender_51", ONE), StoreUnavailableError);
  await assert.rejects(leases.take("sender_52", ONE), StoreUnavailableError);
});

test("renew() extends a presence in one statement, and never one that others have ended", async (desk) => {
  assert.equal(await desk.leases.renew(ONE, TTL_MS), true);
  await desk.expire(ONE);
  assert.equal(await desk.leases.renew(ONE, TTL_MS), false);
  assert.equal(await desk.leases.renew(ONE, TTL_MS), false);
});

test("evict() ends no presence that has been renewed in the meantime", async ({ leases }) => {
  const { mark } = (await leases.clusterSnapshot()).presences.get(ONE)!;
  for (let renewed = mark; renewed === mark;) {
    await leases.renew(ONE, TTL_MS);
    renewed = (await leases.clusterSnapshot()).presences.get(ONE)!.mark;
  }
  assert.equal(await leases.evict(ONE, mark), false);
  assert.equal(await leases.renew(ONE, TTL_MS), true);
});

/** By so much the server's clock is set, by another reading of what was written before. */
for (const minutes of [-90, 90]) {
  test(`nobody's sessions can be taken, and no presence is lost, when the clock is set by ${minutes} minutes`, async (desk) => {
    const { leases, hold, url } = desk;
    await hold("a", ONE);
    await query(
      url,
      "update ll_whatsapp_replicas set " +
        ["doubtful_at", "expires_at"].map((name) => `${name} = ${name} - interval ${minutes} minute`).join(),
    );
    assert.deepEqual(await leases.take("a", TWO), { kind: "held", by: ONE });
    const { sessions, orphans, presences } = await leases.clusterSnapshot();
    assert.deepEqual([...sessions].sort(), [[ONE, 1], [TWO, 0]]);
    assert.equal(orphans, 0);
    assert.deepEqual([...presences.values()].map(({ isOver }) => isOver), [minutes > 0, minutes > 0]);
    assert.equal(await leases.renew(ONE, TTL_MS), true);
    assert.equal((await leases.clusterSnapshot()).presences.get(ONE)!.isOver, false);
  });
}

for (const seconds of [-90, -86_400]) {
  test(`nobody is vouched for that has not renewed since the clock was set by ${seconds} seconds`, async (desk) => {
    const { leases, hold, store, url } = desk;
    await store.findOrCreate("a", NOW);
    await hold("a", ONE);
    assert.equal((await store.find("a"))?.isOrphan, undefined);
    await query(
      url,
      "update ll_whatsapp_replicas set " +
        ["doubtful_at", "expires_at"].map((name) => `${name} = ${name} - interval ${seconds} second`).join(),
    );
    assert.equal((await store.find("a"))?.isOrphan, true);
    assert.equal((await store.outline("a"))?.isOrphan, true);
    await leases.renew(ONE, TTL_MS);
    assert.equal((await store.find("a"))?.isOrphan, undefined);
    assert.equal((await store.outline("a"))?.isOrphan, undefined);
  });
}

test("leave() and heldBy() look at the rows of one replica alone", async ({ hold, url }) => {
  for (let i = 0; i < 20; i++) await hold(`s${i}`, i % 10 === 0 ? ONE : TWO);
  const [plan] = await query(
    url,
    `explain format = traditional update ll_whatsapp_leases set replica_id = null where resting in (0, 1) and replica_id = '${ONE}'`,
  );
  assert.equal(plan.key, "ll_whatsapp_leases_owner");
  assert.ok(Number(plan.rows) <= 4, `${plan.rows} rows`);
});

test("release() frees a session, and does nothing by a lease that has been overtaken", async (desk) => {
  const { leases, hold, expire } = desk;
  const old = await hold("sender_51", ONE);
  await expire(ONE);
  const present = await hold("sender_51", TWO);
  await leases.release(old, true);
  await leases.join(ONE, TTL_MS);
  assert.deepEqual(await leases.take("sender_51", ONE), { kind: "held", by: TWO });
  await leases.release(present, true);
  assert.equal((await hold("sender_51", ONE)).replica, ONE);
});

test("every write is refused, and changes no byte, when the session is another's", async (desk) => {
  const { store, hold, expire, url } = desk;
  const old = await hold("sender_51", ONE);
  const session = createSession("sender_51", NOW);
  await saveNew(store, session, adopt("{}", [{ type: "session", id: "1", value: "zero" }]), old);
  await store.save(session, adopt("{}"), old); // the one before is held
  await store.saveKeys("sender_51", [{ type: "session", id: "1", value: "one" }], "{}", old);
  await expire(ONE);
  await hold("sender_51", TWO);
  const dump = async () => [
    await query(url, "select * from ll_whatsapp_qr_sessions"),
    await query(url, "select * from ll_whatsapp_links"),
    await query(url, "select * from ll_whatsapp_credentials order by kind, name"),
    await query(url, "select * from ll_whatsapp_retired_logins"),
    await query(url, "select * from ll_whatsapp_held_keys"),
    await query(url, "select * from ll_whatsapp_current_logins"),
  ];
  const before = await dump();
  const late = { ...session, updatedAt: NOW + 1_000 };
  const many = Array.from({ length: 6_000 }, (_, i) => ({ type: "pre-key", id: `${i}`, value: "x" }));
  const writes: [string, () => Promise<void>][] = [
    ["keep", () => store.save(late, { kind: "keep" }, old)],
    ["adopt", () => store.save(late, adopt("{}"), old)],
    ["erase", () => store.save(late, { kind: "erase" }, old)],
    ["confirm", () => store.save(late, { kind: "confirm" }, old)],
    ["revert", () => store.save(late, { kind: "revert", retiredId: null }, old)],
    ["retire", () => store.save(late, { kind: "retire", retiredId: crypto.randomUUID() }, old)],
    ["contested", () => store.save(late, { kind: "suspend", contested: true }, old)],
    ["suspend", () => store.save(late, { kind: "suspend", contested: false }, old)],
    ["keys", () => store.saveKeys("sender_51", [{ type: "session", id: "1", value: "two" }], undefined, old)],
    ["credentials", () => store.saveKeys("sender_51", [], '{"late":1}', old)],
    ["many keys", () => store.saveKeys("sender_51", many, undefined, old)],
  ];
  for (const [what, write] of writes) await assert.rejects(write, FencedError, what);
  // A deletion that finds nothing to delete has nothing to say.
  await store.saveKeys("sender_51", [{ type: "session", id: "1", value: null }], undefined, old);
  assert.deepEqual(await dump(), before);
});

test("confirm is refused when the session is another's and no login is held", async (desk) => {
  const { store, hold, expire } = desk;
  const old = await hold("sender_51", ONE);
  const session = createSession("sender_51", NOW);
  await saveNew(store, session, adopt("{}"), old);
  await expire(ONE);
  await hold("sender_51", TWO);
  await assert.rejects(store.save({ ...session, updatedAt: NOW + 1 }, { kind: "confirm" }, old), FencedError);
  assert.deepEqual((await store.find("sender_51"))?.session, session);
});

test("a session cannot be taken in the middle of a write of its owner", async ({ store, hold, url, leases, expire }) => {
  const lease = await hold("sender_51", ONE);
  await saveNew(store, createSession("sender_51", NOW), { kind: "keep" }, lease);
  await expire(ONE);
  const other = await connect(url);
  try {
    // The write of an owner that has not noticed yet, as far as its last statement.
    const taking = await other.db.transaction().execute(async (db) => {
      const inside = new SqlStore({ ...over(other, db), close: () => Promise.resolve() }, KEYS);
      await inside.save({ ...createSession("sender_51", NOW), updatedAt: NOW + 5 }, { kind: "keep" }, lease);
      const taking = leases.take("sender_51", TWO).then((taken) => taken.kind);
      await untilLockWait((await testServer())!);
      return { taking }; // in an object, or the transaction would wait for it
    });
    assert.equal(await taking.taking, "taken");
  } finally {
    await other.close();
  }
  assert.equal((await store.find("sender_51"))?.session.updatedAt, NOW + 5);
});

test("clusterSnapshot() counts who has how much, and what nobody has", async ({ leases, hold, expire }) => {
  await hold("a", ONE);
  await hold("b", ONE);
  await leases.release(await hold("c", TWO), false);
  await leases.release(await hold("d", TWO), true);
  await leases.markOrphaned(["d", "e", "a"]);
  const clusterSnapshot = await leases.clusterSnapshot();
  assert.deepEqual([...clusterSnapshot.sessions].sort(), [[ONE, 2], [TWO, 0]]);
  assert.equal(clusterSnapshot.orphans, 3);
  assert.ok(Math.abs(clusterSnapshot.now - Date.now()) < 60_000);
  assert.deepEqual((await leases.orphans(10)).sort(), ["c", "d", "e"]);
  assert.equal((await leases.orphans(2)).length, 2);
  await expire(ONE);
  assert.deepEqual((await leases.orphans(10)).sort(), ["a", "b", "c", "d", "e"]);
});

test("find() and outline() no longer vouch for a session before anybody may take it, when its owner is late", async (desk) => {
  const { leases, hold, store, url } = desk;
  await store.findOrCreate("a", NOW);
  await hold("a", ONE);
  await query(
    url,
    `update ll_whatsapp_replicas set doubtful_at = utc_timestamp(3) where replica_id = '${ONE}'`,
  );
  assert.equal((await store.find("a"))?.isOrphan, true);
  assert.equal((await store.outline("a"))?.isOrphan, true);
  assert.deepEqual(await leases.take("a", TWO), { kind: "held", by: ONE });
  await leases.renew(ONE, TTL_MS);
  assert.equal((await store.find("a"))?.isOrphan, undefined);
  assert.equal((await store.outline("a"))?.isOrphan, undefined);
});

test("leave() frees at once whatever a replica has", async ({ leases, hold, store }) => {
  await store.findOrCreate("a", NOW);
  await hold("a", ONE);
  assert.equal((await store.find("a"))?.isOrphan, undefined);
  await leases.leave(ONE);
  assert.equal((await store.find("a"))?.isOrphan, true);
  assert.deepEqual((await leases.clusterSnapshot()).sessions, new Map([[TWO, 0]]));
  await hold("a", TWO);
});

test("a command is found by its addressee, settled, and lost with it", async ({ leases, expire }) => {
  const command = { type: "disconnected", reason: "LOGOUT" } as const;
  const first = await leases.sendCommand(TWO, "a", command);
  const second = await leases.sendCommand(TWO, "b", { type: "qr_requested" });
  assert.deepEqual(await leases.commandsFor(ONE), []);
  assert.deepEqual((await leases.commandsFor(TWO)).map(({ id }) => id), [first, second]);
  assert.deepEqual((await leases.commandsFor(TWO))[0], { id: first, instanceId: "a", command });
  const done = { kind: "done", result: { qr_string: "é".repeat(100_000), list: [1, null] } } as const;
  await leases.settleCommand(first, done);
  assert.deepEqual(await leases.commandState(first), done);
  assert.deepEqual(await leases.commandState(second), { kind: "open" });
  await expire(TWO);
  assert.deepEqual(await leases.commandState(second), { kind: "lost" });
  await leases.dropCommand(second);
  assert.deepEqual(await leases.commandState(second), { kind: "lost" });
});

test("settleCommand() tells an error with its delay, and what an earlier version has settled is done without a result", async ({ leases, url }) => {
  const id = await leases.sendCommand(TWO, "a", { type: "qr_requested" });
  const failed = { kind: "failed", code: "TOO_MANY_REQUESTS", retryAfterSeconds: 5 } as const;
  await leases.settleCommand(id, failed);
  assert.deepEqual(await leases.commandState(id), failed);
  for (
    const [outcome, state] of [
      ["done", { kind: "done", result: null }],
      ["SESSION_NOT_FOUND", { kind: "failed", code: "SESSION_NOT_FOUND", retryAfterSeconds: null }],
    ] as const
  ) {
    await query(url, `update ll_whatsapp_errands set outcome = '${outcome}', result = null where id = ${id}`);
    assert.deepEqual(await leases.commandState(id), state);
  }
});

test("sendCommand() leaves a command of any size", async ({ leases }) => {
  const command = { type: "connected", phoneNumber: `+${"é".repeat(10_000)}` } as const;
  const id = await leases.sendCommand(TWO, "a", command);
  assert.deepEqual(await leases.commandsFor(TWO), [{ id, instanceId: "a", command }]);
});

test("sendCommand() leaves one command when its connection is lost after it was written", async ({ url, leases }) => {
  const { proxy, url: through } = await RefusingProxy.before(url);
  await using _ = proxy;
  const connected = await connect(through);
  await using store = new SqlStore(connected, KEYS);
  proxy.loseAnswerTo(/insert into `ll_whatsapp_errands`/);
  const id = await store.leases!.sendCommand(TWO, "a", { type: "qr_requested" });
  const commands = await leases.commandsFor(TWO);
  assert.deepEqual(commands, [{ id, instanceId: "a", command: { type: "qr_requested" } }]);
});

test("a year of joins, leaves, deaths and commands leaves no more rows than there are sessions", async (desk) => {
  const { leases, hold, url } = desk;
  const names = ["a", "b", "c", "d"];
  const rows = async (table: string) => Number((await query(url, `select count(*) as n from ${table}`))[0].n);
  for (let week = 0; week < 52; week++) {
    const replica = crypto.randomUUID();
    await leases.join(replica, TTL_MS);
    for (const name of names) await hold(name, replica);
    const taken = await leases.sendCommand(replica, "a", { type: "qr_requested" });
    await leases.settleCommand(taken, { kind: "done", result: null });
    // Its sender died, too, and never took it back.
    const forgotten = await leases.sendCommand(replica, "b", { type: "qr_requested" });
    if (week % 2 === 0) await leases.leave(replica);
    else await desk.expire(replica);
    // The week passes, by the rows; some weeks the clock was wrong.
    await query(
      url,
      `update ll_whatsapp_errands set created_at = created_at - interval ${week % 3 === 0 ? -7 : 7} day ` +
        `where id in (${taken}, ${forgotten})`,
    );
    await leases.tidy();
    assert.equal(await rows("ll_whatsapp_errands"), 0);
    assert.equal(await rows("ll_whatsapp_replicas"), 2);
    assert.equal(await rows("ll_whatsapp_replica_keys"), 2);
    assert.equal(await rows("ll_whatsapp_leases"), names.length);
  }
});
