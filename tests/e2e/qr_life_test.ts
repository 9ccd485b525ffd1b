import assert from "node:assert/strict";
import { fault } from "./hub.ts";
import { QUICK_LINKS, scenarios } from "./scenarios.ts";
import type { World, WorldOptions } from "./world.ts";

/** QRs that live 300 ms instead of 60 s and 20 s; the socket and the session manager agree on it. */
const SHORT: WorldOptions = {
  ...QUICK_LINKS,
  policy: { qrLife: { firstMs: 300, nextMs: 300 }, nextQrMs: 2_000 },
  socketSettings: { qrMs: 300 },
};

scenarios("the life of a QR", SHORT, {
  "a phone that scans an old QR of a rotated socket still links, as WhatsApp has it": async (world) => {
    const { qr_string } = await world.hub.qr("late");
    await world.until("late", (session) => session.qr_string !== null && session.qr_string !== qr_string);
    assert.equal((await world.gateway.phone().scan(qr_string)).outcome, "paired");
    await world.untilStatus("late", "connected");
  },

  "a link taken up again after an unscanned QR is connected without a new start": async (world) => {
    const phone = await world.link("resumed");
    world.gateway.faults.add({ do: "failure", code: 503, kind: "login", times: 1 });
    const gone = world.log.next(({ event, status }) =>
      event === "session_changed" && status === "disconnected"
    );
    world.gateway.drop(phone);
    await gone;
    const { status } = await world.hub.requestQr("resumed");
    // Either it was asked for in time, and nobody scans it; or the link was quicker.
    assert.ok(status === 200 || status === 409);
    await world.untilStatus("resumed", "connected");
    assert.equal(phone.devices.length, 1);
  },

  // Last, when drawing a QR no longer takes longer than it lives here.
  "a QR rotates by itself while its socket is open, and expires for good after six": async (world) => {
    const strings = new Set<string>();
    world.service.sessions.onChange(({ after: { session } }) => {
      if (session.qr.status === "generated") strings.add(session.qr.string);
    });
    const closed = world.gateway.when("closed");
    const { qr_string, qr_expires_at } = await world.hub.qr("rotating");
    const second = await world.until("rotating", (s) => s.qr_string !== null && s.qr_string !== qr_string);
    assert.equal(second.status, "qr_required");
    assert.ok((second.qr_expires_at ?? "") >= qr_expires_at);

    await closed;
    const last = await world.until("rotating", ({ qr_status }) => qr_status === "expired");
    assert.equal(strings.size, 6);
    assert.equal(last.status, "qr_required");
    assert.equal(last.qr_string, null);
    assert.notEqual(last.qr_expires_at, null);
    // Nobody asked, so nothing burns QRs: the one socket was the only one.
    assert.equal(world.gateway.stats.connectionsOpened, 1);

    const seen = new Set(strings);
    assert.ok(!seen.has((await world.hub.qr("rotating")).qr_string));
    assert.equal(world.gateway.stats.connectionsOpened, 2);
  },
});

scenarios("QRs that are not shown, or not used", { ...QUICK_LINKS, environment: { QR_WAIT_MS: "2000" } }, {
  "POST qr fails at once when WhatsApp cannot be reached": async (world) => {
    await world.gateway.goDown();
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.hub.requestQr("unreachable")));
    assert.deepEqual(new Set(answers.map(fault)), new Set(["500 QR_GENERATION_FAILED"]));
    assert.equal((await world.hub.session("unreachable")).status, "init");
    await world.gateway.comeBack();
    assert.equal((await world.hub.requestQr("unreachable")).status, 200);
  },

  "POST qr fails at the deadline when WhatsApp sends no refs": async (world) => {
    world.gateway.faults.add({ do: "no-refs", times: 1 });
    const asked = performance.now();
    assert.equal(fault(await world.hub.requestQr("mute")), "500 QR_GENERATION_FAILED");
    assert.ok(performance.now() - asked >= world.config.qrWaitMs);
    assert.equal((await world.hub.session("mute")).status, "init");
    assert.equal((await world.hub.requestQr("mute")).status, 200);
  },

  "POST qr fails at once when a proxy refuses the upgrade": async (world) => {
    world.gateway.faults.add({ do: "http-status", status: 403, times: 1 });
    assert.equal(fault(await world.hub.requestQr("proxy")), "500 QR_GENERATION_FAILED");
    assert.equal((await world.hub.session("proxy")).status, "init");
  },

  "a QR whose socket is dropped is expired at once, and nothing reopens it": async (world) => {
    const { qr_string } = await world.hub.qr("dropped");
    world.gateway.dropAll();
    const session = await world.until("dropped", ({ qr_status }) => qr_status === "expired");
    assert.equal(session.status, "qr_required");
    assert.equal(world.gateway.stats.connectionsOpened, 1);
    assert.notEqual((await world.hub.qr("dropped")).qr_string, qr_string);
  },

  "a passkey demand at the scan is an error that says so": async (world) => {
    const phone = world.gateway.phone();
    phone.requiresPasskey = true;
    const { qr_string } = await world.hub.qr("passkey");
    assert.equal((await phone.scan(qr_string)).outcome, "passkey_demanded");
    const session = await world.untilStatus("passkey", "error");
    assert.equal(session.qr_string, null);
    assert.ok(world.log.lines.some((line) => line.code === "PASSKEY_REQUIRED"));
  },

  ...Object.fromEntries(
    ([[405, "CLIENT_OUTDATED"], [403, "ACCOUNT_FORBIDDEN"]] as const).map(([code, name]) => [
      `POST qr fails at once and the session is in error when WhatsApp answers ${code}`,
      async (world: World) => {
        const id = `refused_${code}`;
        world.gateway.faults.add({ do: "failure", code, kind: "pairing", times: 1 });
        assert.equal(fault(await world.hub.requestQr(id)), "500 QR_GENERATION_FAILED");
        assert.equal((await world.hub.session(id)).status, "error");
        assert.ok(world.log.lines.some((line) => line.code === name));
        // The way out of error.
        await world.link(id);
      },
    ]),
  ),
});
