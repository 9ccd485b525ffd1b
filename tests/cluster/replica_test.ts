import assert from "node:assert/strict";
import { BOUNDS, Fleet, names } from "./fleet.ts";
import { TOLD_DONE, TOLD_FAILED } from "./scripted_commands.ts";

const QR_REQUESTED = { type: "qr_requested" } as const;

Deno.test("start() joins, puts up what is unsettled, and takes all of it when nobody else is there", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(7));
  assert.equal(one.replica.isPresent, true);
  assert.equal(one.replica.present, 1);
  assert.deepEqual(one.acting.sort(), names(7));
  assert.deepEqual([...fleet.table.presences.keys()], one.leases.joined);
});

Deno.test("start() leaves what another replica has, and takes its share of the rest", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(4));
  fleet.table.markOrphaned(["late_1", "late_2", "late_3", "late_4"]);
  const two = await fleet.join(names(4));
  assert.deepEqual(one.acting.sort(), names(4));
  assert.deepEqual(two.acting.sort(), ["late_1", "late_2", "late_3", "late_4"]);
  assert.equal(two.replica.present, 2);
});

Deno.test("start() does what it needs of the database patiently, where it is told how", async () => {
  const fleet = new Fleet();
  let attempts = 0;
  const one = fleet.add(["key"], {
    patiently: async (work) => {
      attempts++;
      return await work();
    },
  });
  await one.start(names(2));
  assert.equal(attempts, 3);
  const two = fleet.add();
  two.leases.mood = "away";
  await assert.rejects(two.start(), { name: "StoreUnavailableError" });
});

Deno.test("a replica gives up its surplus step by step for one that joins, until both have the same", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(24));
  const two = await fleet.join();
  await fleet.pass(10_000);
  assert.deepEqual(fleet.shares, [12, 12]);
  assert.deepEqual(one.sessions.given, [5, 5, 2]);
  assert.deepEqual(two.sessions.given, []);
  const epochs = [...fleet.table.leases.values()].map(({ epoch }) => epoch);
  assert.equal(epochs.filter((epoch) => epoch === 2).length, 12);
  assert.ok(one.events.includes("sessions_handed_over") && two.events.includes("sessions_taken_up"));
});

Deno.test("the presence of a replica that died is ended once it was seen unchanged for as long as one lasts", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(4));
  const two = await fleet.join();
  await fleet.pass(5_000);
  assert.deepEqual(fleet.shares, [2, 2]);
  one.die();
  await fleet.pass(9_000);
  assert.equal(two.replica.present, 2);
  assert.equal(two.acting.length, 2);
  await fleet.pass(4_000);
  assert.equal(two.replica.present, 1);
  assert.equal(two.acting.length, 4);
  assert.deepEqual(two.logged.filter(({ event }) => event === "replica_replaced"), [
    { event: "replica_replaced", replica: one.leases.joined[0] },
  ]);
});

Deno.test("a replica that cannot renew lets go of all, and comes back under another name", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(3));
  const [lease] = one.sessions.leases.values();
  one.leases.mood = "away";
  await fleet.pass(6_900);
  assert.equal(one.replica.isPresent, true);
  assert.equal(one.sessions.abandonments, 0);
  await fleet.pass(1_100);
  assert.equal(one.replica.isPresent, false);
  assert.deepEqual([one.sessions.abandonments, one.replica.fencings], [1, 1]);
  assert.equal(one.replica.holds(lease!), false);
  await assert.rejects(async () => await one.replica.take("sender_9"), { name: "StoreUnavailableError" });
  one.leases.mood = "well";
  await fleet.pass(3_000);
  assert.equal(one.replica.isPresent, true);
  assert.equal(one.replica.holds(lease!), false);
  assert.equal(new Set(one.leases.joined).size, 2);
  assert.deepEqual(one.leases.left, [one.leases.joined[0]]);
  assert.deepEqual(one.acting.sort(), names(3));
});

Deno.test("a replica that was fenced is not back before its last connection is down", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(3));
  const closed = Promise.withResolvers<void>();
  one.sessions.closing = closed.promise;
  one.leases.mood = "expired";
  await fleet.pass(1_000);
  assert.equal(one.replica.isPresent, false);
  one.leases.mood = "well";
  await fleet.pass(60_000);
  assert.equal(one.leases.joined.length, 1);
  assert.deepEqual(fleet.table.orphans(9, { keys: new Set(), sessions: [] }), []);
  closed.resolve();
  await fleet.pass(2_000);
  assert.equal(one.leases.joined.length, 2);
  assert.equal(one.acting.length, 3);
});

Deno.test("a command reaches its session's owner, is carried out once, and its sender is told", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(2));
  const two = await fleet.join();
  await fleet.pass(1_000);
  const taking = await two.replica.take("sender_1");
  assert.ok(taking.kind === "held");
  const done = Promise.withResolvers<void>();
  const { carryOut } = one.sessions;
  one.sessions.carryOut = async () => {
    await done.promise;
    return await carryOut();
  };
  const asked = two.replica.ask(taking.by, "sender_1", QR_REQUESTED, 20_000);
  await fleet.pass(2_000);
  done.resolve();
  await fleet.pass(300);
  assert.deepEqual(await asked, TOLD_DONE);
  assert.deepEqual(one.sessions.commands, [{ instanceId: "sender_1", command: QR_REQUESTED }]);
  assert.deepEqual(two.sessions.commands, []);
  assert.equal(fleet.table.commands.rows.size, 0);
});

Deno.test("the sender of a command is told when its owner failed, died or takes too long", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(2));
  const two = await fleet.join();
  await fleet.pass(2_000);
  const [owner] = one.leases.joined;
  one.sessions.carryOut = () => Promise.reject(new TypeError("scripted"));
  const failed = two.replica.ask(owner!, "sender_0", QR_REQUESTED, 20_000);
  await fleet.pass(500);
  assert.deepEqual(await failed, TOLD_FAILED);
  one.sessions.carryOut = () => new Promise(() => {});
  const late = two.replica.ask(owner!, "sender_0", QR_REQUESTED, 1_000);
  await fleet.pass(1_200);
  assert.deepEqual(await late, { kind: "late" });
  one.die();
  const lost = two.replica.ask(owner!, "sender_0", QR_REQUESTED, 60_000);
  await fleet.pass(14_000);
  assert.deepEqual(await lost, { kind: "lost" });
});

Deno.test("a replica that is alone looks for no commands", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(2));
  await fleet.pass(5_000);
  assert.equal(one.leases.looks, 0);
  await fleet.join();
  await fleet.pass(5_000);
  assert.ok(one.leases.looks >= 35);
});

Deno.test("start() goes on once the dead replica has been ended whose keys stand in its way", async () => {
  const fleet = new Fleet();
  const dead = fleet.add(["old"]);
  await dead.start();
  dead.die();
  const one = fleet.add(["new"]);
  let isStarted = false;
  const started = one.start(names(2)).then(() => isStarted = true);
  await fleet.pass(9_000);
  assert.equal(isStarted, false);
  await fleet.pass(5_000);
  await started;
  assert.equal(one.replica.present, 1);
  assert.equal(one.acting.length, 2);
});

Deno.test("start() fails when the replica is alive whose keys stand in its way", async () => {
  const fleet = new Fleet();
  await fleet.add(["old"]).start();
  const one = fleet.add(["new"]);
  const refused = assert.rejects(one.start(), { name: "KeysDisagreeError" });
  await fleet.pass(BOUNDS.ttlMs + 3 * BOUNDS.renewMs);
  await refused;
  assert.equal(fleet.table.presences.size, 1);
});

Deno.test("start() ends when it is stopped while keys stand in its way", async () => {
  const fleet = new Fleet();
  await fleet.add(["old"]).start();
  const one = fleet.add(["new"]);
  const refused = assert.rejects(one.start(), { name: "KeysDisagreeError" });
  await fleet.pass(2_000);
  one.replica.stop();
  await refused;
});

Deno.test("a lease that the database could not be told of is given back later", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(2));
  const lease = one.sessions.leases.get("sender_0")!;
  one.leases.mood = "away";
  one.sessions.leases.delete("sender_0");
  await one.replica.release(lease, true);
  await fleet.pass(3_000);
  assert.equal(fleet.table.leases.get("sender_0")?.owner, lease.replica);
  one.leases.mood = "well";
  await fleet.pass(1_000);
  assert.deepEqual(fleet.table.leases.get("sender_0"), { owner: null, epoch: 1, resting: true });
});

Deno.test("a lease that was not given back is nobody's concern once its presence is over", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(1));
  const lease = one.sessions.leases.get("sender_0")!;
  one.leases.mood = "away";
  await one.replica.release(lease, true);
  await fleet.pass(8_000);
  one.leases.mood = "well";
  await fleet.pass(3_000);
  // Taken up anew, as something that is to be done; the old lease's end would have it rest.
  assert.deepEqual(one.acting, ["sender_0"]);
});

Deno.test("release() logs what no repetition mends, and does nothing without a lease", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(1));
  one.leases.mood = "broken";
  await one.replica.release(one.sessions.leases.get("sender_0")!, true);
  assert.ok(one.events.includes("replica_failed"));
  const { length } = one.logged;
  await one.replica.release(null, true);
  assert.equal(one.logged.length, length);
  assert.equal(one.replica.holds(null), false);
});

Deno.test("a session that is a replica's without its knowing is looked after", async () => {
  const fleet = new Fleet();
  const one = await fleet.join();
  fleet.table.markOrphaned(["sender_0"]);
  one.leases.losesTakings = true;
  await fleet.pass(1_000);
  assert.deepEqual(one.acting, []);
  assert.equal(fleet.table.leases.get("sender_0")?.owner, one.leases.joined[0]);
  one.leases.losesTakings = false;
  await fleet.pass(1_000);
  assert.deepEqual(one.acting, ["sender_0"]);
});

Deno.test("a replica leaves a login that it cannot open to one that has the key", async () => {
  const fleet = new Fleet();
  const one = fleet.add(["new"]);
  const two = fleet.add(["new", "old"]);
  await one.start();
  await two.start();
  assert.equal(await one.replica.canAnotherOpen("sender_0", "old"), true);
  assert.equal(await one.replica.canAnotherOpen("sender_1", "older"), false);
  for (const instanceId of names(4)) fleet.table.sealedWith.set(instanceId, "old");
  fleet.table.markOrphaned(names(4));
  await fleet.pass(5_000);
  assert.deepEqual([one.acting, two.acting.sort()], [[], names(4)]);
});

Deno.test("the database's clock is told to every replica, however its own is set", async () => {
  const fleet = new Fleet();
  const one = await fleet.join();
  one.base.setWall(-3_600_000);
  await fleet.pass(2_000);
  assert.ok(Math.abs(one.clock.now() - fleet.table.now) <= 250);
});

Deno.test("commands and keys that nobody needs are tidied up again and again", async () => {
  const fleet = new Fleet();
  const one = await fleet.join();
  await fleet.pass(BOUNDS.tidyMs * 2);
  assert.equal(one.leases.tidied, 2);
});

Deno.test("stop() takes nothing more and serves nobody, and what it has stays its own until it leaves", async () => {
  const fleet = new Fleet();
  const one = await fleet.join(names(2));
  const two = await fleet.join();
  await fleet.pass(3_000);
  assert.deepEqual(fleet.shares, [1, 1]);
  one.replica.stop();
  fleet.table.markOrphaned(["late_1", "late_2", "late_3", "late_4"]);
  const asked = two.replica.ask(one.leases.joined[0]!, "sender_0", QR_REQUESTED, 2_000);
  await fleet.pass(20_000);
  assert.deepEqual(await asked, { kind: "late" });
  assert.equal(one.acting.length, 1);
  assert.equal(one.replica.isPresent, true);
  one.sessions.leases.clear();
  const left = one.replica.leave();
  await fleet.pass(100);
  await left;
  assert.equal(one.replica.isPresent, false);
  await fleet.pass(1_000);
  assert.equal(two.acting.length, 6);
});

Deno.test("what fails again and again is logged, an outage aside", async () => {
  const fleet = new Fleet();
  const one = await fleet.join();
  one.leases.mood = "away";
  await fleet.pass(2_000);
  assert.equal(one.events.includes("replica_failed"), false);
  one.leases.mood = "broken";
  await fleet.pass(2_000);
  assert.equal(one.events.includes("replica_failed"), true);
});
