import { equal, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LightClient, LightKeys } from "./light_client.ts";
import { SigningKey } from "./keys.ts";
import { type Gateway, startGateway } from "./mod.ts";
import { NOTHING_LEFT } from "./sanitizers.ts";
import { childOf } from "./stanzas.ts";

const COUNT = { tag: "count", attrs: {} };
const DIGEST = { tag: "digest", attrs: {} };

async function pair(gateway: Gateway, keys: LightKeys, number?: string): Promise<string> {
  const { client, refs } = await LightClient.register(gateway, keys);
  await using _client = client;
  const scan = gateway.phone(number).scanText(keys.pairingText(refs[0]!));
  await client.sign(await client.next("iq"), keys);
  const result = await scan;
  if (result.outcome !== "paired") throw new Error(result.outcome);
  equal((await client.next("stream:error")).attrs.code, "515");
  await client.closed;
  return result.device.jid;
}

async function goOnline(gateway: Gateway, keys: LightKeys, jid: string): Promise<LightClient> {
  const client = await LightClient.logIn(gateway, keys, jid);
  await client.next("success");
  await client.next("ib");
  await client.query("encrypt", "get", DIGEST);
  return client;
}

Deno.test("startGateway() pairs and logs in a client that checks every signature", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const keys = new LightKeys();
  const jid = await pair(gateway, keys, "+5491155550001");
  equal(jid, "5491155550001:1@s.whatsapp.net");
  await using _client = await goOnline(gateway, keys, jid);
  equal(gateway.device(jid)?.online, true);
  const { pairings, logins, overlaps } = gateway.stats;
  equal(`${pairings} ${logins} ${overlaps}`, "1 1 0");
  ok(gateway.connections.some(({ state, deviceJid }) => state === "online" && deviceJid === jid));
});

Deno.test("startGateway() understands a client when routing information leads and frames are cut to bytes", {
  ...NOTHING_LEFT,
}, async () => {
  await using gateway = await startGateway();
  const options = { routingInfo: Buffer.from("edge"), chunkBytes: 1 };
  const { client, refs } = await LightClient.register(gateway, new LightKeys(), options);
  await using _client = client;
  equal(refs.length, 6);
});

Deno.test("encrypt count says what this device has uploaded", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const keys = new LightKeys();
  const jid = await pair(gateway, keys);
  await using client = await goOnline(gateway, keys, jid);
  const count = async () => {
    return childOf(await client.query("encrypt", "get", COUNT), "count")?.attrs.value;
  };
  equal(await count(), "0");
  const list = Array.from({ length: 5 }, () => ({ tag: "key", attrs: {} }));
  await client.query("encrypt", "set", { tag: "list", attrs: {}, content: list });
  equal(await count(), "5");
  equal(gateway.stats.preKeysUploaded, 5);
});

Deno.test("Phone.scan() rejects when the client signs with another key", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const keys = new LightKeys();
  const { client, refs } = await LightClient.register(gateway, keys);
  await using _client = client;
  const scan = gateway.phone().scanText(keys.pairingText(refs[0]!));
  const rejected = rejects(scan, /did not sign/);
  await client.sign(await client.next("iq"), keys, new SigningKey());
  await rejected;
  equal(gateway.stats.badSignatures, 1);
  equal(gateway.devices().length, 0);
});

Deno.test("Phone.scan() says why when a ref cannot be used", NOTHING_LEFT, async () => {
  let now = Date.now();
  await using gateway = await startGateway({ refLife: { firstMs: 60_000, nextMs: 20_000 }, now: () => now });
  const keys = new LightKeys();
  const { client, refs } = await LightClient.register(gateway, keys);
  const phone = gateway.phone();
  const scan = async (ref: string) => (await phone.scanText(keys.pairingText(ref))).outcome;
  equal(await scan("2@never"), "unknown_ref");
  now += 60_000;
  equal(await scan(refs[0]!), "expired");
  await rejects(phone.scanText(new LightKeys().pairingText(refs[1]!)), /other keys/);
  const unsigned = phone.scanText(keys.pairingText(refs[1]!));
  await client.next("iq");
  equal(await scan(refs[1]!), "already_used");
  const closed = gateway.when("closed");
  await client.end();
  await closed;
  equal((await unsigned).outcome, "closed");

  const shown = await LightClient.register(gateway, keys);
  const gone = gateway.when("closed");
  await shown.client.end();
  await gone;
  equal(await scan(shown.refs[0]!), "expired");
});

Deno.test(
  "a login fails with 401 when the device is unknown, or its noise key is another",
  NOTHING_LEFT,
  async () => {
    await using gateway = await startGateway();
    const keys = new LightKeys();
    const jid = await pair(gateway, keys);
    await using stranger = await LightClient.logIn(gateway, keys, "5491100000000:3@s.whatsapp.net");
    equal((await stranger.next("failure")).attrs.reason, "401");
    await using impostor = await LightClient.logIn(gateway, new LightKeys(), jid);
    equal((await impostor.next("failure")).attrs.reason, "401");
    equal(gateway.stats.logins, 0);
  },
);

Deno.test(
  "a second login counts as an overlap only while the first socket is open",
  NOTHING_LEFT,
  async () => {
    await using gateway = await startGateway();
    const keys = new LightKeys();
    const jid = await pair(gateway, keys);
    const first = await goOnline(gateway, keys, jid);
    const closed = gateway.when("closed", { device: jid });
    await first.end();
    await closed;
    await using second = await goOnline(gateway, keys, jid);
    equal(gateway.stats.overlaps, 0);
    await using _third = await goOnline(gateway, keys, jid);
    const error = await second.next("stream:error");
    equal(childOf(error, "conflict")?.attrs.type, "replaced");
    await second.closed;
    equal(gateway.stats.overlaps, 1);
    equal(gateway.device(jid)?.online, true);
  },
);

Deno.test("Phone.unlink() removes one device of several and tells its socket", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const phone = gateway.phone("+5491155550002");
  const [keysA, keysB] = [new LightKeys(), new LightKeys()];
  const a = await pair(gateway, keysA, phone.number);
  const b = await pair(gateway, keysB, phone.number);
  equal(phone.devices.length, 2);
  await using clientA = await goOnline(gateway, keysA, a);
  await using _clientB = await goOnline(gateway, keysB, b);
  await phone.unlink(a);
  const error = await clientA.next("stream:error");
  equal(error.attrs.code, "401");
  await clientA.closed;
  equal(gateway.device(a)?.removed, true);
  equal(gateway.device(b)?.online, true);
  await rejects(phone.unlink(a), /not linked/);
  await using again = await LightClient.logIn(gateway, keysA, a);
  equal((await again.next("failure")).attrs.reason, "401");
});

Deno.test("a connection is cut when the client sends what no key made", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const { client } = await LightClient.register(gateway, new LightKeys());
  await client.sendGarbage();
  await client.closed;
});

Deno.test(
  "Gateway.goDown() cuts everything and comeBack() listens on the same port",
  NOTHING_LEFT,
  async () => {
    await using gateway = await startGateway();
    const keys = new LightKeys();
    const jid = await pair(gateway, keys);
    const client = await goOnline(gateway, keys, jid);
    const { url } = gateway;
    await gateway.goDown();
    await client.closed;
    equal(gateway.listening, false);
    equal(gateway.connections.length, 0);
    await rejects(LightClient.logIn(gateway, keys, jid), /closed before it was open/);
    await gateway.comeBack();
    equal(gateway.url, url);
    await using _again = await goOnline(gateway, keys, jid);
    equal(gateway.stats.overlaps, 0);
  },
);

Deno.test("Gateway.stop() leaves nothing behind when clients are at every stage", NOTHING_LEFT, async () => {
  const gateway = await startGateway({ controlPort: 0 });
  const keys = new LightKeys();
  const jid = await pair(gateway, keys);
  await goOnline(gateway, keys, jid);
  const { client, refs } = await LightClient.register(gateway, new LightKeys());
  equal(refs.length, 6);
  gateway.silence(jid);
  gateway.faults.add({ do: "delay", stage: "pairing", ms: 60_000, times: 1 });
  const slow = LightClient.register(gateway, new LightKeys()).catch((error: Error) => error.message);
  await gateway.when("handshake");
  gateway.faults.add({ do: "hang-upgrade", times: 1 });
  const hung = LightClient.register(gateway, new LightKeys()).catch((error: Error) => error.message);
  await gateway.when("refused");
  const waiting = gateway.when("ping").catch((error: Error) => error.message);
  await gateway.stop();
  await gateway.stop();
  await client.closed;
  equal(await slow, "the connection ended");
  equal(await hung, "closed before it was open");
  equal(await waiting, "the gateway stopped while 'ping' was awaited");
  await rejects(gateway.comeBack(), /stopped/);
});
