import assert from "node:assert/strict";
import type { GeneratedQr } from "../../domain/session.ts";
import { fault } from "../../lab/hub.ts";
import { QUICK_LINKS, scenarios } from "./scenarios.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { UNWATCHED, type World } from "./world.ts";

const clock = new SkippingClock(() => 0.99);
const LONG_MS = 600_000;

scenarios("a QR that nobody scans, or somebody late", {
  ...QUICK_LINKS,
  // A link that is down comes back when the test says so.
  policy: { backoff: { baseMs: LONG_MS, quickMs: LONG_MS, capMs: LONG_MS } },
  socketSettings: { qrMs: 3_000 },
  supervision: { clock, ...UNWATCHED },
}, {
  "a phone that scans an old QR of a rotated socket still links, as WhatsApp has it": async (world) => {
    for (let outcome = ""; outcome !== "paired";) {
      const { qr_string } = await world.hub.qr("late");
      await world.until("late", (session) => session.qr_string !== qr_string);
      ({ outcome } = await world.gateway.phone().scan(qr_string));
      assert.ok(outcome === "paired" || outcome === "expired", outcome);
    }
    await world.untilStatus("late", "connected");
  },

  "a link taken up again after an unscanned QR is connected without a new start": async (world) => {
    const phone = await world.link("resumed");
    const gone = world.log.next(({ event, status }) =>
      event === "session_changed" && status === "disconnected"
    );
    world.gateway.drop(phone);
    await gone;
    await world.hub.qr("resumed");
    await untilUnscanned(world, "resumed");
    clock.skip(LONG_MS);
    await world.untilStatus("resumed", "connected");
    assert.equal(phone.devices.length, 1);
  },
});

/** The connection that shows the QR is lost, as it is when the last one has expired. */
async function untilUnscanned(world: World, instanceId: string): Promise<void> {
  const pairing = world.gateway.connections.find(({ state }) => state === "pairing");
  if (pairing !== undefined) world.gateway.drop(pairing.id);
  await world.until(instanceId, ({ qr_status }) => qr_status === "expired");
}

// The socket shows the next one every 300 ms. Each may be shown for longer: on a busy machine the news of one takes
// longer than that.
scenarios("the life of a QR", {
  ...QUICK_LINKS,
  policy: { qrLife: { firstMs: LONG_MS, nextMs: LONG_MS } },
  socketSettings: { qrMs: 300 },
}, {
  "a QR rotates by itself while its socket is open, and expires for good after six": async (world) => {
    const shown: GeneratedQr[] = [];
    world.service.sessions.onChange(({ before, after: { session } }) => {
      if (session.qr.status === "generated" && session.qr !== before.session.qr) shown.push(session.qr);
    });
    const closed = world.gateway.when("closed");
    const { qr_string } = await world.hub.qr("rotating");
    assert.equal(shown[0]?.string, qr_string);
    await closed;
    const last = await world.until("rotating", ({ qr_status }) => qr_status === "expired");
    assert.equal(new Set(shown.map(({ string }) => string)).size, 6);
    const expiries = shown.map(({ expiresAt }) => expiresAt);
    assert.deepEqual(expiries, expiries.toSorted((one, other) => one - other));
    assert.equal(last.status, "qr_required");
    assert.equal(last.qr_string, null);
    assert.notEqual(last.qr_expires_at, null);
    // Nobody asked, so nothing burns QRs: the one socket was the only one.
    assert.equal(world.gateway.stats.connectionsOpened, 1);

    const { qr_string: next } = await world.hub.qr("rotating");
    assert.ok(shown.slice(0, 6).every(({ string }) => string !== next));
    assert.equal(world.gateway.stats.connectionsOpened, 2);
  },
});

scenarios("a QR that WhatsApp does not send", {
  environment: { QR_WAIT_MS: String(LONG_MS) },
  supervision: { clock, ...UNWATCHED },
}, {
  "POST qr fails at the deadline when WhatsApp sends no refs": async (world) => {
    world.gateway.faults.add({ do: "no-refs", times: 1 });
    const reached = world.gateway.when("handshake");
    let isAnswered = false;
    const answer = world.hub.requestQr("mute").finally(() => isAnswered = true);
    await reached;
    clock.skip(LONG_MS / 2);
    assert.equal((await world.hub.session("mute")).status, "init");
    assert.equal(isAnswered, false);
    clock.skip(LONG_MS / 2);
    assert.equal(fault(await answer), "500 QR_GENERATION_FAILED");
    assert.equal((await world.hub.session("mute")).status, "init");
    assert.equal((await world.hub.requestQr("mute")).status, 200);
  },
});

// The deadline is ten minutes away, so that a call that fails has not waited for it.
scenarios("QRs that are not shown, or not used", {
  ...QUICK_LINKS,
  environment: { QR_WAIT_MS: String(LONG_MS) },
}, {
  "POST qr fails at once when WhatsApp cannot be reached": async (world) => {
    await world.gateway.goDown();
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.hub.requestQr("unreachable")));
    assert.deepEqual(new Set(answers.map(fault)), new Set(["500 QR_GENERATION_FAILED"]));
    assert.equal((await world.hub.session("unreachable")).status, "init");
    await world.gateway.comeBack();
    assert.equal((await world.hub.requestQr("unreachable")).status, 200);
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
