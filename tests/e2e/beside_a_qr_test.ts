/**
 * A pairing and the login that is there already are two connections: asking for a QR never costs a working link, and
 * no device is left on the phone.
 */
import assert from "node:assert/strict";
import type { DeviceInfo, FaultHandle, Phone } from "../../lab/simulator/mod.ts";
import type { QrView } from "@session-manager/contract";
import { type Answer, fault } from "../../lab/hub.ts";
import { QUICK_LINKS, scenarios } from "./scenarios.ts";
import type { World } from "./world.ts";

/** Links a number, and has WhatsApp refuse that login from then on, until the fault is removed. */
async function linkAndLose(world: World, id: string): Promise<Lost> {
  const phone = await world.link(id);
  const [device] = phone.devices;
  assert.ok(device !== undefined);
  const refusal = world.gateway.faults.add({ do: "failure", code: 503, device: device.jid });
  world.gateway.drop(phone);
  await world.untilStatus(id, "disconnected");
  return { phone, device, refusal };
}

interface Lost {
  readonly phone: Phone;
  /** The one that is linked. */
  readonly device: DeviceInfo;
  readonly refusal: FaultHandle;
}

/** Every status that a session passes through from now on. */
function statuses(world: World, id: string): Set<string> {
  const seen = new Set<string>();
  world.service.sessions.onChange(({ after: { session } }) => {
    if (session.instanceId === id) seen.add(session.status);
  });
  return seen;
}

/** Resolves once WhatsApp knows so many devices of this phone. */
async function untilDevices(world: World, phone: Phone, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => phone.devices.length === count && resolve();
  const off = world.gateway.on(() => queueMicrotask(look));
  const timer = setTimeout(() => {}, 60_000);
  look();
  await promise;
  clearTimeout(timer);
  off();
}

scenarios("a login beside a QR", QUICK_LINKS, {
  "a login that WhatsApp takes again ends the pairing that nobody has scanned": async (world) => {
    const { phone, refusal } = await linkAndLose(world, "back");
    await untilQr(world, "back");
    assert.equal((await world.hub.session("back")).status, "qr_required");
    const login = world.gateway.when("failure", { phone: phone.number });
    await login; // it goes on trying
    assert.equal((await world.hub.session("back")).qr_status, "generated");
    refusal.remove();
    const session = await world.untilStatus("back", "connected");
    assert.equal(session.qr_string, null);
    assert.equal(fault(await world.hub.requestQr("back")), "409 SESSION_ALREADY_CONNECTED");
    assert.equal(phone.devices.length, 1);
    assert.equal(world.gateway.stats.overlaps, 0);
  },

  ...Object.fromEntries([403, 405, 411].map((code) => [
    `a pairing that WhatsApp refuses with ${code} is no error of a session whose login works`,
    async (world: World) => {
      const id = `refused-${code}`;
      const { phone, refusal } = await linkAndLose(world, id);
      const seen = statuses(world, id);
      world.gateway.faults.add({ do: "failure", code, kind: "pairing" });
      assert.equal(fault(await untilAsked(world, id)), "500 QR_GENERATION_FAILED");
      refusal.remove();
      await world.untilStatus(id, "connected");
      assert.ok(!seen.has("error"));
      assert.equal(phone.devices.length, 1);
    },
  ])),

  "a pairing that ends in a demand for a passkey is no error of a session whose login works": async (
    world,
  ) => {
    const { phone, refusal } = await linkAndLose(world, "passkey");
    const seen = statuses(world, "passkey");
    phone.requiresPasskey = true;
    const { qr_string } = await untilQr(world, "passkey");
    assert.equal((await phone.scan(qr_string)).outcome, "passkey_demanded");
    await world.until("passkey", ({ status }) => status !== "qr_required");
    refusal.remove();
    await world.untilStatus("passkey", "connected");
    assert.ok(!seen.has("error"));
  },

  "a scan over a login replaces it, and the old device is unlinked": async (world) => {
    const { phone, device } = await linkAndLose(world, "replaced");
    const { qr_string } = await untilQr(world, "replaced");
    assert.equal((await phone.scan(qr_string)).outcome, "paired");
    await world.untilStatus("replaced", "connected");
    assert.equal(phone.devices.length, 2, "WhatsApp does not answer the old login yet");
    world.gateway.faults.clear();
    await untilDevices(world, phone, 1);
    assert.notEqual(phone.devices[0]?.jid, device.jid);
    assert.equal((await world.hub.session("replaced")).status, "connected");
    assert.equal(world.gateway.stats.overlaps, 0);
  },

  "a number that is linked again and again has one device": async (world) => {
    const phone = await world.link("again");
    for (let time = 0; time < 4; time++) {
      const [device] = phone.devices;
      const refusal = world.gateway.faults.add({ do: "failure", code: 503, device: device?.jid ?? "" });
      world.gateway.drop(phone);
      await world.untilStatus("again", "disconnected");
      const { qr_string } = await untilQr(world, "again");
      assert.equal((await phone.scan(qr_string)).outcome, "paired");
      await world.untilStatus("again", "connected");
      refusal.remove();
      await untilDevices(world, phone, 1);
    }
    assert.equal(world.gateway.stats.overlaps, 0);
  },

  "a new login that does not exist at WhatsApp costs the old one nothing": async (world) => {
    const { phone, device, refusal } = await linkAndLose(world, "held");
    // Its owner takes the new device back before it has ever logged in.
    const off = world.gateway.on(({ kind, device: paired }) => {
      if (kind === "paired" && paired !== null) void phone.unlink(paired);
    });
    const { qr_string } = await untilQr(world, "held");
    assert.equal((await phone.scan(qr_string)).outcome, "paired");
    const refused = await world.gateway.when("failure", { device: device.jid });
    assert.equal(refused.code, 503, "the old login is tried again");
    off();
    refusal.remove();
    await world.untilStatus("held", "connected");
    assert.deepEqual(phone.devices.map(({ jid }) => jid), [device.jid]);
  },

  "a new login that may not be used costs the old one nothing, and leaves no device": async (world) => {
    const { phone, device, refusal } = await linkAndLose(world, "banned");
    const banned = world.gateway.phone();
    world.gateway.faults.add({ do: "failure", code: 403, phone: banned.number, kind: "login", times: 1 });
    const seen = statuses(world, "banned");
    const { qr_string } = await untilQr(world, "banned");
    assert.equal((await banned.scan(qr_string)).outcome, "paired");
    await untilDevices(world, banned, 0);
    refusal.remove();
    const { status } = await world.untilStatus("banned", "connected");
    assert.equal(status, "connected");
    assert.ok(!seen.has("error"));
    assert.deepEqual(phone.devices.map(({ jid }) => jid), [device.jid]);
    const [row] = await world.rows(
      "select phone_number as phone from ll_whatsapp_qr_sessions where instance_id = 'banned'",
    );
    assert.equal(row?.phone, phone.number);
  },

  "a number that is logged out while WhatsApp cannot be reached is unlinked once it can": async (world) => {
    const { phone } = await linkAndLose(world, "offline");
    const out = await world.hub.disconnected("offline", "LOGOUT");
    assert.deepEqual(out.body, {
      instance_id: "offline",
      status: "disconnected",
      qr_status: "none",
      qr_string: null,
      qr_expires_at: null,
    });
    assert.equal(phone.devices.length, 1);
    world.gateway.faults.clear();
    await untilDevices(world, phone, 0);
    assert.equal((await world.hub.session("offline")).status, "disconnected");
  },

  "connected does not count while the connection that it can only mean is being torn down": async (world) => {
    const phone = await world.link("crossed");
    // Nothing is heard of WhatsApp any more: the connection takes its time to go down.
    world.gateway.silence(phone);
    assert.equal((await world.hub.disconnected("crossed", "LOGOUT")).status, 200);
    const crossed = await world.hub.connected("crossed", phone.number);
    assert.equal((crossed.body as { status: string }).status, "disconnected");
    assert.equal((await world.hub.session("crossed")).status, "disconnected");
  },
});

scenarios("pairings at the same time", { ...QUICK_LINKS, environment: { MAX_PAIRINGS: "2" } }, {
  "a QR beyond MAX_PAIRINGS is 429 with Retry-After, and makes no row": async (world) => {
    const first = await world.hub.qr("one");
    await world.hub.qr("two");
    const refused = await world.hub.requestQr("three");
    assert.equal(fault(refused), "429 TOO_MANY_REQUESTS");
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    assert.equal(fault(await world.hub.get("three")), "404 SESSION_NOT_FOUND");
    assert.deepEqual(await world.hub.qr("one"), first, "a valid QR is returned all the same");
    await world.hub.connected("one", "+5491155550000");
    const { qr_string } = await untilQr(world, "three");
    assert.ok(qr_string.startsWith("data:image/png;base64,"));
  },

  "a hundred callers for new sessions make no more rows than pairings": async (world) => {
    const ids = Array.from({ length: 100 }, (_, i) => `crowd-${i}`);
    const answers = await Promise.all(ids.map((id) => world.hub.requestQr(id)));
    const shown = answers.filter(({ status }) => status === 200).length;
    assert.equal(shown, 2);
    assert.equal(answers.filter(({ status }) => status === 429).length, 98);
    const [row] = await world.rows(
      "SELECT count(*) AS made FROM ll_whatsapp_qr_sessions WHERE instance_id LIKE 'crowd-%'",
    );
    assert.equal(Number(row?.made), 2);
  },
});

/** Asks as a Hub does: again when it is told to come back later, or that the login is being tried just then. */
async function untilAsked(world: World, id: string): Promise<Answer> {
  for (;;) {
    const answer = await world.hub.requestQr(id);
    if (answer.status !== 429 && answer.status !== 409) return answer;
    await answered();
  }
}

async function untilQr(world: World, id: string): Promise<QrView> {
  const answer = await untilAsked(world, id);
  assert.equal(answer.status, 200);
  return answer.body as QrView;
}

/** A turn of the event loop. */
function answered(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
