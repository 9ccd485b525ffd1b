/**
 * A login has one connection at a time, on WhatsApp's side too: the next one waits until the last one is down.
 */
import assert from "node:assert/strict";
import type { Phone } from "../../lab/simulator/mod.ts";
import { hangWorker, SABOTEUR } from "../../lab/sabotage/sabotage.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { QUICK_LINKS } from "../e2e/scenarios.ts";
import { scenario, UNWATCHED, type World } from "../e2e/world.ts";

const LOGIN_MS = 600_000;

/**
 * WhatsApp asks for a restart; the login asks in vain for what it needs, and at its deadline its peer is dead.
 * @param meanwhile what happens before the deadline
 */
async function loseLogin(
  { gateway, log }: World,
  clock: SkippingClock,
  phone: Phone,
  meanwhile = () => Promise.resolve(),
): Promise<void> {
  const [login, overdue] = [
    gateway.when("login", { phone: phone.number }),
    log.next(({ status, code }) => status === "disconnected" && code === "TIMEOUT"),
  ];
  gateway.streamError(phone, { code: 515 });
  await login;
  gateway.silence(phone);
  await meanwhile();
  clock.skip(LOGIN_MS);
  await overdue;
}

scenario(
  "a login is opened once the connection is down when the last one is still going down",
  async (start) => {
    const clock = new SkippingClock();
    await using world = await start({
      ...QUICK_LINKS,
      policy: { loginMs: LOGIN_MS },
      supervision: { clock, ...UNWATCHED },
    });
    const { gateway } = world;
    const phone = await world.link("overdue");
    // Not the overlaps that the server counts: a connection that is going down is none to it.
    let doubles = 0;
    gateway.on(({ kind }) => {
      if (kind === "handshake" && gateway.connections.length > 1) doubles++;
    });
    await loseLogin(world, clock, phone);
    assert.equal(gateway.connections.length, 1, "the peer does not answer the closing handshake");
    await world.untilStatus("overdue", "connected");
    assert.equal(doubles, 0);
  },
  { only: "sqlite" },
);

scenario("a QR is shown immediately when a connection of the session is still going down", async (start) => {
  const clock = new SkippingClock(() => 0.99);
  await using world = await start({
    ...QUICK_LINKS,
    environment: { SOCKET_WORKERS: "2" },
    policy: { loginMs: LOGIN_MS, backoff: { baseMs: 600_000, quickMs: 600_000, capMs: 600_000 } },
    supervision: { clock, workerScript: SABOTEUR, ...UNWATCHED },
  });
  const phone = await world.link("again");
  let letGo = () => {};
  // The login's worker does nothing any more, so its connection is there for as long as the test wants: sockets 1
  // and 2 paired and logged in, 3 is the login that is lost.
  await loseLogin(world, clock, phone, async () => void (letGo = await hangWorker(3)));
  await world.hub.qr("again");
  assert.deepEqual(world.gateway.connections.map(({ state }) => state), ["login", "pairing"]);
  letGo();
}, { only: "sqlite" });

scenario("a session logs in after `unendedMs` when the runtime does not end its worker", async (start) => {
  const clock = new SkippingClock();
  const watch = { heartbeatMs: 5_000, hangMs: 15_000, startMs: 86_400_000, unendedMs: 600_000 };
  await using world = await start({ ...QUICK_LINKS, supervision: { clock, workerScript: SABOTEUR, watch } });
  const phone = await world.link("impatient");
  const [unended, back] = [
    world.log.next(({ event }) => event === "worker_unended"),
    world.gateway.when("online", { phone: phone.number }),
  ];
  const hung = world.log.next(({ end }) => end === "hung");
  const letGo = await hangWorker();
  clock.skip(2 * watch.heartbeatMs + watch.hangMs);
  await hung;
  assert.ok(!world.log.lines.some(({ event }) => event === "worker_unended"));
  clock.skip(watch.unendedMs);
  assert.equal((await unended).sockets, 1);
  await back;
  letGo();
}, { only: "sqlite" });
