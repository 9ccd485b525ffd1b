import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sabotage, SABOTEUR } from "../../lab/sabotage/sabotage.ts";
import { Vault, Workshop } from "./workshop.ts";

Deno.test("a pairing is completed at WhatsApp once the new login is durable, and not before", async () => {
  await using workshop = await Workshop.open({ settings: { keepAliveMs: 50 } });
  const { gateway } = workshop;
  const phone = gateway.phone();
  const durable = Promise.withResolvers<void>();
  const vault = new Vault();
  const pairing = workshop.openSocket({ kind: "pair" }, vault, () => durable.promise);
  const scan = phone.scan(await pairing.qr);
  await pairing.paired;
  // Meanwhile the same worker pairs another number from end to end, and the first socket pings several times.
  const neighbour = await workshop.pair();
  assert.notEqual(neighbour.credentials, "");
  assert.equal(phone.devices.length, 0);
  durable.resolve();
  assert.equal((await scan).outcome, "paired");
  assert.equal(phone.devices.length, 1);
  assert.deepEqual(await pairing.closed, { origin: "whatsapp", code: 515 });
  assert.deepEqual(await pairing.gone, { unlinked: false });
  assert.deepEqual(pairing.told, ["qr", "paired", "closed"]);

  const login = workshop.openSocket({ kind: "login", credentials: vault.credentials }, vault);
  assert.equal(await login.connected, phone.devices[0]?.jid);
});

Deno.test("a pairing whose login is not kept leaves no device, and its connection is cut", async () => {
  await using workshop = await Workshop.open();
  const phone = workshop.gateway.phone();
  const pairing = workshop.openSocket({ kind: "pair" }, new Vault(), () => Promise.reject(new Error("no")));
  assert.equal((await phone.scan(await pairing.qr)).outcome, "closed");
  assert.deepEqual(await pairing.closed, { origin: "client", code: 0 });
  await pairing.gone;
  assert.equal(workshop.gateway.devices().length, 0);
  assert.equal(workshop.gateway.connections.length, 0);
});

Deno.test("a pairing that is closed while its login is being kept leaves no device, whatever comes of that", async () => {
  for (const outcome of ["resolve", "reject"] as const) {
    await using workshop = await Workshop.open();
    const { gateway } = workshop;
    const durable = Promise.withResolvers<void>();
    const pairing = workshop.openSocket({ kind: "pair" }, new Vault(), () => durable.promise);
    const scan = gateway.phone().scan(await pairing.qr);
    await pairing.paired;
    pairing.socket.close({ unlink: outcome === "resolve" });
    assert.deepEqual(await pairing.gone, { unlinked: false });
    assert.equal((await scan).outcome, "closed");
    durable[outcome](new Error("too late") as never);
    // A socket that answers shows that the worker is past the late reply.
    await workshop.openSocket({ kind: "pair" }).qr;
    assert.equal(gateway.devices().length, 0);
  }
});

Deno.test("a pairing whose login is not durable in time ends unanswered, and leaves no device", async () => {
  await using workshop = await Workshop.open({ settings: { connectMs: 3_000 } });
  const { gateway } = workshop;
  const pairing = workshop.openSocket({ kind: "pair" }, new Vault(), () => new Promise(() => {}));
  const scan = gateway.phone().scan(await pairing.qr);
  assert.deepEqual(await pairing.closed, { origin: "client", code: 408 });
  assert.equal((await scan).outcome, "closed");
  await pairing.gone;
  assert.equal(gateway.devices().length, 0);
});

Deno.test("a worker that dies while a login is being kept leaves no device", async () => {
  await using workshop = await Workshop.open({ pool: { script: SABOTEUR } });
  const { gateway } = workshop;
  const pairing = workshop.openSocket({ kind: "pair" }, new Vault(), () => new Promise(() => {}));
  const scan = gateway.phone().scan(await pairing.qr);
  await pairing.paired;
  sabotage("close");
  assert.deepEqual(await pairing.closed, { origin: "worker" });
  assert.equal((await scan).outcome, "closed");
  assert.deepEqual(await pairing.gone, { unlinked: false });
  assert.equal(gateway.devices().length, 0);
});

Deno.test("what Baileys writes while a login is being kept is kept with it", async () => {
  await using workshop = await Workshop.open();
  const { gateway } = workshop;
  const phone = gateway.phone();
  const durable = Promise.withResolvers<void>();
  const vault = new Vault();
  const pairing = workshop.openSocket({ kind: "pair" }, vault, () => durable.promise);
  const scan = phone.scan(await pairing.qr);
  gateway.notify(phone, {
    tag: "ib",
    attrs: {},
    content: [{
      tag: "edge_routing",
      attrs: {},
      content: [{ tag: "routing_info", attrs: {}, content: Buffer.from("edge") }],
    }],
  });
  gateway.notify(phone, {
    tag: "notification",
    attrs: { from: "5491155550000@s.whatsapp.net", type: "privacy_token", id: "1", sender_lid: "77@lid" },
    content: [{
      tag: "tokens",
      attrs: {},
      content: [{
        tag: "token",
        attrs: { type: "trusted_contact", t: "1767484800", jid: "5491155550000@s.whatsapp.net" },
        content: Buffer.from("token"),
      }],
    }],
  });
  await pairing.paired;
  await workshop.pair(); // a while for the worker, which nothing tells
  assert.equal(vault.credentials, "");
  durable.resolve();
  assert.equal((await scan).outcome, "paired");
  await pairing.gone;
  const { routingInfo, me } = JSON.parse(vault.credentials);
  assert.equal(me.id, phone.devices[0]?.jid);
  assert.equal(Buffer.from(routingInfo.data, "base64").toString(), "edge");
  assert.match(vault.keys.get("tctoken/77@lid") ?? "", /token/);
});
