import assert from "node:assert/strict";
import type { StreamErrorSpec } from "../../lab/simulator/mod.ts";
import { QUICK_LINKS, scenarios } from "./scenarios.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { UNWATCHED, type World } from "./world.ts";

/** Waits for a status that may be gone before the front door can be asked: read off the changes themselves. */
function passes(world: World, instanceId: string, status: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const unsubscribe = world.service.sessions.onChange(({ after: { session } }) => {
    if (session.instanceId !== instanceId || session.status !== status) return;
    unsubscribe();
    resolve(session.lastError?.code);
  });
  return promise;
}

scenarios("the life of a link", QUICK_LINKS, {
  "a dropped link is disconnected for NETWORK, and comes back by itself": async (world) => {
    const phone = await world.link("drop");
    const reason = passes(world, "drop", "disconnected");
    const connecting = passes(world, "drop", "connecting");
    world.gateway.drop(phone);
    assert.equal(await reason, "NETWORK");
    await connecting;
    await world.untilStatus("drop", "connected");
    assert.equal(phone.devices[0]?.logins, 2);
    assert.equal(world.gateway.stats.overlaps, 0);
  },

  "a pairing whose socket closes without 515 goes on with the login": async (world) => {
    world.gateway.faults.add({ do: "no-515", close: true, times: 1 });
    await world.link("closed");
  },

  "a stream error 440 is the error LOGGED_IN_ELSEWHERE, and is not fought": (world) =>
    strike(world, "replaced", { child: "conflict", attrs: { type: "replaced" } }, "LOGGED_IN_ELSEWHERE"),

  "a stream error 403 is the error ACCOUNT_FORBIDDEN, and is not fought": (world) =>
    strike(world, "forbidden", { code: 403 }, "ACCOUNT_FORBIDDEN"),

  "a login that WhatsApp does not know is a logout": async (world) => {
    const phone = await world.link("unknown");
    world.gateway.faults.add({ do: "failure", code: 401, kind: "login", times: 1 });
    world.gateway.drop(phone);
    const session = await world.until("unknown", ({ qr_status }) => qr_status === "none");
    assert.equal(session.status, "disconnected");
  },

  "a proxy that answers 401 to the upgrade costs no link": async (world) => {
    const phone = await world.link("proxied");
    world.gateway.faults.add({ do: "http-status", status: 401, times: 1 });
    const gone = passes(world, "proxied", "disconnected");
    world.gateway.drop(phone);
    await gone;
    await world.untilStatus("proxied", "connected");
    assert.equal(phone.devices.length, 1);
  },
});

async function strike(world: World, instanceId: string, error: StreamErrorSpec, code: string): Promise<void> {
  const phone = await world.link(instanceId);
  const reason = passes(world, instanceId, "error");
  world.gateway.streamError(phone, error);
  assert.equal(await reason, code);
  assert.equal(phone.devices[0]?.logins, 1);
  await world.link(instanceId, phone);
}

const clock = new SkippingClock();
const LONG_MS = 600_000;

scenarios("deadlines of a link", {
  ...QUICK_LINKS,
  policy: { loginMs: LONG_MS, restartMs: LONG_MS },
  supervision: { clock, ...UNWATCHED },
}, {
  "a login without success ends in TIMEOUT, and is tried again": async (world) => {
    world.gateway.faults.add({ do: "no-success", kind: "login", times: 1 });
    const reason = passes(world, "deadline", "disconnected");
    const login = world.gateway.when("handshake", { nth: 2 });
    const linked = world.link("deadline");
    await login;
    clock.skip(LONG_MS);
    assert.equal(await reason, "TIMEOUT");
    await linked;
  },

  "a pairing whose 515 never comes ends in TIMEOUT, and the link is kept": async (world) => {
    world.gateway.faults.add({ do: "no-515", times: 1 });
    const reason = passes(world, "no515", "disconnected");
    const paired = world.gateway.when("paired", { timeoutMs: 120_000 });
    const linked = world.link("no515");
    await paired;
    clock.skip(LONG_MS);
    assert.equal(await reason, "TIMEOUT");
    assert.equal((await linked).devices.length, 1);
  },
});
