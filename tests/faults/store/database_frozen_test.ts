import assert from "node:assert/strict";
import { BREAKER_BOUNDS } from "../../../db/breaker.ts";
import { STORE_BOUNDS } from "../../../db/terms.ts";
import { REPLICA_BOUNDS } from "../../../cluster/replica.ts";
import { HoldingProxy } from "../../db/holding_proxy.ts";
import { type Answer, fault } from "../../../lab/hub.ts";
import type { World } from "../../e2e/world.ts";
import { startGateway } from "../../../lab/simulator/mod.ts";
import { faultScenario, ownServer, PATIENT } from "./own_server.ts";

const server = await ownServer();

/** As the product does, where all else that would end a wait is put off: only the breaker answers. */
const BREAKER = { breaker: BREAKER_BOUNDS };

function unavailable(answer: Answer, expected: string): void {
  assert.equal(fault(answer), `500 ${expected}`);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

async function isReady(world: World): Promise<boolean> {
  const response = await fetch(`${world.origin}/readyz`);
  await response.body?.cancel();
  return response.ok;
}

/** Asks until the answer is another than 500. */
async function untilAnswered(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 500) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

faultScenario(
  server,
  "calls are refused, immediately and without a connection once it is known, when the database is frozen",
  async (start, server) => {
    const database = await server.database();
    const { proxy, url: databaseUrl } = await HoldingProxy.before(database.url);
    await using _ = proxy;
    await using world = await start({
      ...PATIENT,
      databaseUrl,
      environment: { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0" },
      storeBounds: BREAKER,
    });
    const { hub, gateway } = world;
    gateway.faults.add({ do: "http-status", status: 503, times: 1 });
    assert.equal(fault(await hub.requestQr("idle")), "500 QR_GENERATION_FAILED");
    const told = await world.link("told");
    const dropped = await world.link("dropped");
    const linked = await world.link("linked");
    const { qr_string } = await hub.qr("scanned");
    const shown = await hub.qr("shown");
    const before = await hub.session("shown");
    assert.ok(await isReady(world));

    await server.pause();
    const cut = gateway.when("closed", { phone: dropped.number });
    gateway.drop(dropped);
    const scanner = gateway.phone();
    const scanned = scanner.scan(qr_string);
    const everything = async () => {
      const [read, unknown, qr, made, reported, event, ready] = await Promise.all([
        hub.get("idle"),
        hub.get("nobody"),
        hub.requestQr("idle"),
        hub.requestQr("new"),
        hub.connected("nobody", "+5491155550000"),
        hub.disconnected("told", "NETWORK"),
        isReady(world),
      ]);
      for (const answer of [read, unknown, reported, event]) unavailable(answer, "SESSION_MANAGER_ERROR");
      for (const answer of [qr, made]) unavailable(answer, "QR_GENERATION_FAILED");
      assert.equal(ready, false);
      assert.equal((await hub.session("linked")).status, "connected");
      assert.equal(fault(await hub.requestQr("linked")), "409 SESSION_ALREADY_CONNECTED");
      assert.deepEqual([await hub.session("shown"), await hub.qr("shown")], [before, shown]);
    };
    await everything();
    await cut;

    const connections = proxy.connections;
    const sockets = await openSockets();
    for (let round = 0; round < 20; round++) await everything();
    // Probes alone, one at a time: one that has been accepted is waited for half a minute.
    assert.ok(proxy.connections - connections < 20, `${proxy.connections - connections} connections`);
    assert.ok(await openSockets() < sockets + 40);
    assert.equal(scanner.devices.length, 0, "WhatsApp knows of no device whose login is not durable");

    server.resume();
    assert.equal((await scanned).outcome, "paired");
    for (const id of ["told", "dropped", "scanned", "linked"]) await world.untilStatus(id, "connected");
    assert.equal((await untilAnswered(() => hub.get("idle"))).status, 200);
    assert.equal(fault(await hub.get("nobody")), "404 SESSION_NOT_FOUND");
    while (!await isReady(world));
    assert.deepEqual(
      [told, dropped, linked, scanner].map(({ devices }) => devices[0]?.logins),
      [2, 2, 1, 1],
    );
    assert.equal(gateway.stats.overlaps, 0);
  },
);

/** Sockets that this process has open. */
async function openSockets(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `ls -l /proc/${Deno.pid}/fd | grep -c socket:`],
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

faultScenario(
  server,
  "every session of two replicas is back, none logged in twice, when the database was frozen beyond their presence",
  async (start, server) => {
    await using gateway = await startGateway();
    const supervision = { replica: REPLICA_BOUNDS };
    const storeBounds = { ...STORE_BOUNDS, patienceMs: 2_500 };
    await using first = await start({ gateway, supervision, storeBounds });
    const names = Array.from({ length: 4 }, (_, n) => `sender_${n}`);
    const phones = await Promise.all(names.map((name) => first.link(name)));
    const { databaseUrl } = first.config;
    await using second = await start({ gateway, databaseUrl, supervision, storeBounds });
    // Its share has moved to the second.
    for (const name of names) await second.untilStatus(name, "connected");

    const fenced = [first, second].map(({ log }) => log.next(({ event }) => event === "replica_fenced"));
    await server.pause();
    await Promise.all(fenced);
    for (const world of [first, second]) {
      unavailable(await world.hub.get("sender_0"), "SESSION_MANAGER_ERROR");
    }
    const back = phones.map(({ number }) => gateway.when("online", { phone: number }));
    server.resume();
    await Promise.all(back);
    for (const world of [first, second]) {
      for (const name of names) {
        await untilConnected(world, name);
      }
    }
    assert.equal(gateway.stats.overlaps, 0);
    assert.deepEqual(phones.map(({ devices }) => devices.length), [1, 1, 1, 1]);
  },
);

/** Told by any replica: what another acts for changes without a word here. */
async function untilConnected(world: World, instanceId: string): Promise<void> {
  for (;;) {
    const { status, body } = await untilAnswered(() => world.hub.get(instanceId));
    if (status === 200 && (body as { status: string }).status === "connected") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
