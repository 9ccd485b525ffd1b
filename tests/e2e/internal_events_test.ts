import assert from "node:assert/strict";
import { SessionAnswer } from "../../routes/contract/schemas.ts";
import { fault } from "../../lab/hub.ts";
import { QUICK_LINKS, scenarios } from "./scenarios.ts";
import type { World } from "./world.ts";

scenarios("internal events", QUICK_LINKS, {
  "internal events answer 404 for an unknown session, and create none": async (world) => {
    assert.equal(fault(await world.hub.connected("nobody", "+5491155550000")), "404 SESSION_NOT_FOUND");
    assert.equal(fault(await world.hub.disconnected("nobody", "NETWORK")), "404 SESSION_NOT_FOUND");
    assert.equal(fault(await world.hub.get("nobody")), "404 SESSION_NOT_FOUND");
  },

  "connected closes a socket that is only showing a QR": async (world) => {
    await world.hub.qr("told");
    const closed = world.gateway.when("closed");
    const answer = await world.hub.connected("told", "+5491155550000");
    assert.equal(answer.status, 200);
    const session = SessionAnswer.parse(answer.body);
    assert.equal(session.status, "connected");
    assert.equal(session.qr_string, null);
    await closed;
    assert.deepEqual(await world.hub.session("told"), session);
    assert.equal(fault(await world.hub.requestQr("told")), "409 SESSION_ALREADY_CONNECTED");
  },

  "connected twice changes nothing, the row's updated_at included": async (world) => {
    await world.hub.qr("twice");
    const first = await world.hub.connected("twice", "+5491155550000");
    const second = await world.hub.connected("twice", "+5491155550000");
    assert.deepEqual(second.body, first.body);
  },

  ...Object.fromEntries((["NETWORK", "TIMEOUT", "UNKNOWN"] as const).map((reason) => [
    `disconnected ${reason} closes the socket, and supervision brings the link back`,
    async (world: World) => {
      const id = reason.toLowerCase();
      const phone = await world.link(id);
      const closed = world.gateway.when("closed");
      const answer = await world.hub.disconnected(id, reason);
      assert.equal((answer.body as { status: string }).status, "disconnected");
      await closed;
      await world.untilStatus(id, "connected");
      assert.equal(phone.devices[0]?.logins, 2);
      assert.equal(world.gateway.stats.overlaps, 0);
    },
  ])),
});
