/**
 * A login has one connection at a time, on WhatsApp's side too: the next one waits until the last one is down.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../whatsapp/clock.ts";
import type { Phone } from "../gateway/mod.ts";
import { sabotage, SABOTEUR } from "../whatsapp/sabotage.ts";
import { scenario, type World } from "../e2e/world.ts";

/** WhatsApp asks for a restart; the login asks in vain for what it needs, and at its deadline its peer is dead. */
async function loseLogin({ gateway, log }: World, phone: Phone): Promise<void> {
  gateway.faults.add({ do: "no-iq", phone: phone.number, times: 1 });
  const [login, overdue] = [
    gateway.when("login", { phone: phone.number }),
    log.next(({ status, code }) => status === "disconnected" && code === "TIMEOUT"),
  ];
  gateway.streamError(phone, { code: 515 });
  await login;
  gateway.silence(phone);
  await overdue;
}

scenario("a login waits until the connection of the last one is down", async (start) => {
  await using world = await start({ policy: { loginMs: 1_000 } });
  const { gateway } = world;
  await loseLogin(world, await world.link("overdue"));
  assert.equal(gateway.connections.length, 1, "the peer does not answer the closing handshake");
  // Not the overlaps that the server counts: a connection that is going down is none to it.
  let doubles = 0;
  gateway.on(({ kind }) => {
    if (kind === "handshake" && gateway.connections.length > 1) doubles++;
  });
  await world.untilStatus("overdue", "connected");
  assert.equal(doubles, 0);
}, { only: "sqlite" });

scenario("a QR is shown while a connection of the session is still going down", async (start) => {
  await using world = await start({
    // Time enough for the first login on a busy machine, which would not be repeated.
    policy: { loginMs: 3_000, backoff: { baseMs: 600_000, quickMs: 600_000, capMs: 600_000 } },
    supervision: { clock: { ...systemClock, random: () => 0.99 } },
  });
  await loseLogin(world, await world.link("again"));
  await world.hub.qr("again");
  assert.deepEqual(world.gateway.connections.map(({ state }) => state), ["login", "pairing"]);
}, { only: "sqlite" });

scenario("a worker that the runtime does not end is waited for no longer than its bound", async (start) => {
  await using world = await start({
    supervision: { workerScript: SABOTEUR, watch: { pulseMs: 200, hangMs: 2_000, unendedMs: 500 } },
  });
  const phone = await world.link("impatient");
  const [unended, back] = [
    world.log.next(({ event }) => event === "worker_unended"),
    world.gateway.when("online", { phone: phone.number, timeoutMs: 20_000 }),
  ];
  sabotage("hang");
  assert.equal((await unended).sockets, 1);
  await back;
}, { only: "sqlite" });
