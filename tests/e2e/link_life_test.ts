import assert from "node:assert/strict";
import { scenario, type World } from "./world.ts";

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

scenario("a dropped link is disconnected for NETWORK, and comes back by itself", async (start) => {
  await using world = await start();
  const phone = await world.link("drop");
  const reason = passes(world, "drop", "disconnected");
  const connecting = passes(world, "drop", "connecting");
  world.gateway.drop(phone);
  assert.equal(await reason, "NETWORK");
  await connecting;
  await world.untilStatus("drop", "connected");
  assert.equal(phone.devices[0]?.logins, 2);
  assert.equal(world.gateway.stats.overlaps, 0);
});

scenario("a login without success ends at its deadline in TIMEOUT, and is tried again", async (start) => {
  await using world = await start({ policy: { loginMs: 400 } });
  world.gateway.faults.add({ do: "no-success", kind: "login", times: 1 });
  const reason = passes(world, "deadline", "disconnected");
  await world.link("deadline");
  assert.equal(await reason, "TIMEOUT");
});

scenario("a pairing whose 515 never comes ends at its deadline, and the link is kept", async (start) => {
  await using world = await start({ policy: { restartMs: 400 } });
  world.gateway.faults.add({ do: "no-515", times: 1 });
  const reason = passes(world, "no515", "disconnected");
  const phone = await world.link("no515");
  assert.equal(await reason, "TIMEOUT");
  assert.equal(phone.devices.length, 1);
});

scenario("a pairing whose socket closes without 515 goes on with the login", async (start) => {
  await using world = await start();
  world.gateway.faults.add({ do: "no-515", close: true, times: 1 });
  await world.link("closed");
});

scenario(
  "asking for a QR keeps a link that works, and takes it up again when nobody scans",
  async (start) => {
    await using world = await start({
      policy: { qrLife: { firstMs: 300, nextMs: 300 }, backoff: { baseMs: 60_000, capMs: 60_000 } },
      socketSettings: { qrMs: 300 },
    });
    const phone = await world.link("kept");
    const device = phone.devices[0]?.jid;
    const gone = passes(world, "kept", "disconnected");
    world.gateway.drop(phone);
    await gone;
    await world.hub.qr("kept");
    const expired = await world.until("kept", ({ qr_status }) => qr_status === "expired");
    assert.equal(expired.status, "qr_required");
    assert.equal(phone.devices[0]?.jid, device);
    // The next start takes the same login up again.
    await world.stopService();
    await using next = await start({ gateway: world.gateway, databaseUrl: world.config.databaseUrl });
    await next.untilStatus("kept", "connected");
    assert.equal(phone.devices[0]?.jid, device);
    assert.equal(phone.devices[0]?.logins, 2);
  },
);

scenario("a link taken up again after an unscanned QR is connected without a new start", async (start) => {
  await using world = await start({
    policy: { qrLife: { firstMs: 200, nextMs: 200 }, nextQrMs: 2_000 },
    socketSettings: { qrMs: 200 },
  });
  const phone = await world.link("resumed");
  world.gateway.faults.add({ do: "failure", code: 503, kind: "login", times: 1 });
  const gone = passes(world, "resumed", "disconnected");
  world.gateway.drop(phone);
  await gone;
  const { status } = await world.hub.requestQr("resumed");
  // Either it was asked for in time, and nobody scans it; or the link was quicker.
  assert.ok(status === 200 || status === 409);
  await world.untilStatus("resumed", "connected");
  assert.equal(phone.devices.length, 1);
});

scenario("a new pairing replaces the login that was there", async (start) => {
  await using world = await start({ policy: { backoff: { baseMs: 60_000, capMs: 60_000 } } });
  const first = await world.link("replaced", world.gateway.phone("+5491155550001"));
  const gone = passes(world, "replaced", "disconnected");
  world.gateway.drop(first);
  await gone;
  await world.link("replaced", world.gateway.phone("+5491155550002"));
  await world.stopService();
  await using next = await start({ gateway: world.gateway, databaseUrl: world.config.databaseUrl });
  const back = next.gateway.when("online", { phone: "+5491155550002" });
  await next.untilStatus("replaced", "connected");
  await back;
  assert.equal(first.devices[0]?.logins, 1);
});

for (
  const [what, code, strike] of [
    ["440", "LOGGED_IN_ELSEWHERE", { child: "conflict", attrs: { type: "replaced" } }],
    ["403", "ACCOUNT_FORBIDDEN", { code: 403 }],
  ] as const
) {
  scenario(`a stream error ${what} is the error ${code}, and is not fought`, async (start) => {
    await using world = await start();
    const phone = await world.link("fault");
    const reason = passes(world, "fault", "error");
    world.gateway.streamError(phone, strike);
    assert.equal(await reason, code);
    assert.equal(phone.devices[0]?.logins, 1);
    await world.link("fault", phone);
  });
}

scenario("a login that WhatsApp does not know is a logout", async (start) => {
  await using world = await start();
  const phone = await world.link("unknown");
  world.gateway.faults.add({ do: "failure", code: 401, kind: "login", times: 1 });
  world.gateway.drop(phone);
  const session = await world.until("unknown", ({ qr_status }) => qr_status === "none");
  assert.equal(session.status, "disconnected");
});

scenario("a proxy that answers 401 to the upgrade costs no link", async (start) => {
  await using world = await start();
  const phone = await world.link("proxied");
  world.gateway.faults.add({ do: "http-status", status: 401, times: 1 });
  const gone = passes(world, "proxied", "disconnected");
  world.gateway.drop(phone);
  await gone;
  await world.untilStatus("proxied", "connected");
  assert.equal(phone.devices.length, 1);
});
