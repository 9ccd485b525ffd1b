import assert from "node:assert/strict";
import type { Phone } from "../../lab/simulator/mod.ts";
import { QUICK_LINKS, scenariosAcrossAStart } from "./scenarios.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { scenario, type World, type WorldOptions } from "./world.ts";

/** A link that is down is left alone until the next start: its next attempt is far away. */
const PATIENT: WorldOptions = {
  ...QUICK_LINKS,
  policy: { backoff: { baseMs: 86_400_000, quickMs: 86_400_000, capMs: 86_400_000 } },
  supervision: { clock: new SkippingClock(() => 0.99) },
};

async function loseForGood(world: World, instanceId: string, phone: Phone): Promise<void> {
  const gone = world.untilStatus(instanceId, "disconnected");
  world.gateway.drop(phone);
  await gone;
}

scenariosAcrossAStart("a start", { ...PATIENT, again: { policy: {}, supervision: {} } }, {
  "brings a link back": async (world) => {
    const phone = await world.link("linked");
    return async (next) => {
      await next.untilStatus("linked", "connected");
      assert.equal(phone.devices[0]?.logins, 2);
      assert.equal(next.gateway.stats.overlaps, 0);
    };
  },

  "leaves an error as it is": async (world) => {
    const phone = await world.link("elsewhere");
    const replaced = world.untilStatus("elsewhere", "error");
    world.gateway.streamError(phone, { child: "conflict", attrs: { type: "replaced" } });
    await replaced;
    return async (next) => {
      assert.equal((await next.hub.session("elsewhere")).status, "error");
      assert.equal(phone.devices[0]?.logins, 1);
    };
  },

  "tries CLIENT_OUTDATED again": async (world) => {
    const phone = await world.link("outdated");
    const outdated = world.untilStatus("outdated", "error");
    world.gateway.faults.add({ do: "failure", code: 405, phone: phone.number, kind: "login", times: 1 });
    world.gateway.streamError(phone, { code: 515 });
    await outdated;
    return (next) => next.untilStatus("outdated", "connected");
  },

  "takes up a login again that was kept while a QR was shown that nobody scanned": async (world) => {
    const phone = await world.link("kept");
    const device = phone.devices[0]?.jid;
    await loseForGood(world, "kept", phone);
    await world.hub.qr("kept");
    // Nobody scans it, and its connection is lost.
    world.gateway.drop(world.gateway.connections.find(({ state }) => state === "pairing")!.id);
    const expired = await world.until("kept", ({ qr_status }) => qr_status === "expired");
    assert.equal(expired.status, "qr_required");
    assert.equal(phone.devices[0]?.jid, device);
    return async (next) => {
      await next.untilStatus("kept", "connected");
      assert.equal(phone.devices[0]?.jid, device);
      assert.equal(phone.devices[0]?.logins, 2);
    };
  },

  "uses the newest pairing, not the login that it replaced": async (world) => {
    const first = await world.link("replaced", world.gateway.phone("+5491155550001"));
    await loseForGood(world, "replaced", first);
    const second = await world.link("replaced", world.gateway.phone("+5491155550002"));
    return async (next) => {
      await next.untilStatus("replaced", "connected");
      assert.equal(second.devices[0]?.logins, 2);
      assert.deepEqual(first.devices, [], "the device of the login that was replaced is unlinked");
    };
  },

  "leaves alone what a LOGOUT has unlinked, whose login is erased, however often it is told": async (
    world,
  ) => {
    const phone = await world.link("logout");
    const loggedOut = world.gateway.when("logout", { phone: phone.number });
    const answer = await world.hub.disconnected("logout", "LOGOUT");
    assert.deepEqual(answer.body, {
      instance_id: "logout",
      status: "disconnected",
      qr_status: "none",
      qr_string: null,
      qr_expires_at: null,
    });
    await loggedOut;
    assert.equal(phone.devices.length, 0);
    assert.deepEqual((await world.hub.disconnected("logout", "LOGOUT")).body, answer.body);
    const kept = await world.rows(
      "SELECT kind FROM ll_whatsapp_credentials WHERE instance_id = 'logout'",
    );
    assert.deepEqual(kept, []);
    return async (next) => {
      assert.equal((await next.hub.session("logout")).status, "disconnected");
      assert.equal(next.service.sessions.isSupervised("logout"), false);
    };
  },

  "expires a QR": async (world) => {
    await world.hub.qr("shown");
    return async (next) => {
      const shown = await next.hub.session("shown");
      assert.deepEqual([shown.status, shown.qr_status, shown.qr_string], ["qr_required", "expired", null]);
      assert.notEqual(shown.qr_expires_at, null);
    };
  },
});

scenario("another CREDENTIALS_KEY is an error of that session alone, and costs no link", async (start) => {
  const key = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
  const right = key();
  await using before = await start({ ...QUICK_LINKS, environment: { CREDENTIALS_KEY: right } });
  await before.link("sealed");
  await before.stopService();
  const again = { gateway: before.gateway, databaseUrl: before.config.databaseUrl };
  {
    await using wrong = await start({ ...again, environment: { CREDENTIALS_KEY: key() } });
    await wrong.untilStatus("sealed", "error");
    assert.ok(wrong.log.lines.some((line) => line.code === "CREDENTIALS_UNREADABLE"));
    assert.equal((await wrong.hub.requestQr("other")).status, 200);
  }
  await using mended = await start({ ...again, environment: { CREDENTIALS_KEY: right } });
  await mended.untilStatus("sealed", "connected");
});
