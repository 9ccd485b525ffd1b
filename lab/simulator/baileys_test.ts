import { equal, ok } from "node:assert/strict";
import QRCode from "qrcode";
import { BaileysClient, type BaileysSocket, pairAndOpen, trustRoot } from "./baileys_client.ts";
import { startGateway } from "./mod.ts";
import { BAILEYS_TIMERS_LEFT } from "./sanitizers.ts";

Deno.test("Baileys pairs from the QR picture, is sent away with 515 and opens when it returns", {
  ...BAILEYS_TIMERS_LEFT,
}, async () => {
  await using gateway = await startGateway();
  using _trust = trustRoot(gateway);
  await using client = new BaileysClient(gateway);
  const pairing = client.connect();
  const phone = gateway.phone("+5491155550001");
  const result = await phone.scan(await QRCode.toDataURL(await pairing.qr()));
  equal(result.outcome, "paired");
  equal(await pairing.closed(), 515);
  equal(client.creds.me?.id, "5491155550001:1@s.whatsapp.net");
  const online = gateway.when("online", { phone: phone.number });
  const socket = client.connect();
  await socket.open();
  await online;
  const [device] = phone.devices;
  equal(device?.online, true);
  equal(device?.preKeys, 812);
});

Deno.test(
  "Baileys uploads no pre-keys when it logs in for the second time",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway);
    const first = await pairAndOpen(gateway, client);
    const uploaded = gateway.stats.preKeysUploaded;
    const closed = gateway.when("closed");
    gateway.dropAll();
    equal(await first.closed(), 428);
    await closed;
    await client.connect().open();
    equal(gateway.stats.preKeysUploaded, uploaded);
    equal(gateway.stats.logins, 2);
    equal(gateway.stats.overlaps, 0);
  },
);

Deno.test(
  "Baileys rotates through six QRs and ends with 408 when nobody scans",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway, { qrTimeout: 20 });
    const socket = client.connect();
    equal(await socket.closed(), 408);
    equal(new Set(socket.qrs).size, 6);
  },
);

Deno.test("Baileys is paired from its third QR when the first two went by", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway, { qrTimeout: 1_500 });
  const socket = client.connect();
  equal((await gateway.phone().scanText(await socket.qr(3))).outcome, "paired");
  equal(await socket.closed(), 515);
});

Deno.test(
  "Baileys ends with each code when it is dropped, replaced or unlinked",
  BAILEYS_TIMERS_LEFT,
  async (t) => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway);
    const jid = (await pairAndOpen(gateway, client)).wa.user!.id;
    gateway.dropAll("close");
    const ends = async (name: string, code: number, act: () => void) => {
      await t.step({
        name,
        sanitizeOps: false,
        fn: async () => {
          const socket = client.connect();
          await socket.open();
          act();
          equal(await socket.closed(), code);
        },
      });
    };
    await ends("a cut connection is 428", 428, () => equal(gateway.drop(jid), 1));
    await ends("a closed WebSocket is 428", 428, () => equal(gateway.drop(jid, "close"), 1));
    await ends("xmlstreamend is 428", 428, () => equal(gateway.drop(jid, "xmlstreamend"), 1));
    await ends("a stream error 503 is 503", 503, () => equal(gateway.streamError(jid, { code: 503 }), 1));
    await ends("a conflict is 440", 440, () => {
      equal(gateway.streamError(jid, { child: "conflict", attrs: { type: "replaced" } }), 1);
    });
    await ends("another login is 440", 440, () => void client.connect());
    equal(gateway.stats.overlaps, 1);
    gateway.dropAll();
    await ends("an unlink on the phone is 401", 401, () => void gateway.phones()[0]!.unlink());
    equal(await client.connect().closed(), 401);
  },
);

Deno.test(
  "WASocket.logout() removes the device and the phone no longer lists it",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway);
    const socket = await pairAndOpen(gateway, client);
    const logout = gateway.when("logout");
    await socket.wa.logout();
    const { device } = await logout;
    equal(gateway.device(device!)?.removed, true);
    equal(gateway.phones()[0]!.devices.length, 0);
    equal(gateway.stats.logouts, 1);
  },
);

Deno.test("Phone.scan() demands a passkey when the account has one", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const socket: BaileysSocket = client.connect();
  const demanded = new Promise<void>((resolve) => {
    socket.wa.ws.on("CB:notification,type:passkey_prologue_request", () => resolve());
  });
  const phone = gateway.phone();
  phone.requiresPasskey = true;
  equal((await phone.scanText(await socket.qr())).outcome, "passkey_demanded");
  await demanded;
  equal(gateway.devices().length, 0);
});

Deno.test(
  "Baileys keeps its connection alive with pings that are answered",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway, { keepAliveIntervalMs: 20 });
    await pairAndOpen(gateway, client);
    await gateway.when("ping", { nth: 2 });
    ok(gateway.stats.pings >= 2);
  },
);

Deno.test("Gateway.silence() leaves the socket open and unanswered, and no overlap when its client left", {
  ...BAILEYS_TIMERS_LEFT,
}, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const socket = await pairAndOpen(gateway, client);
  const jid = socket.wa.user!.id;
  equal(gateway.silence(jid), 1);
  equal(await socket.wa.query(ping(), 50).then(() => "answered", () => "unanswered"), "unanswered");
  equal(gateway.device(jid)?.online, true);
  const ended = gateway.when("closed");
  // Baileys' own end would wait half a minute for a close that is never acknowledged.
  (socket.wa.ws as unknown as { socket: { terminate(): void } }).socket.terminate();
  await ended;
  await client.connect().open();
  equal(gateway.stats.overlaps, 0);
});

Deno.test("Gateway.notify() reaches the client as a node", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const socket = await pairAndOpen(gateway, client);
  const heard = new Promise<void>((resolve) => socket.wa.ws.on("CB:ib,,hello", () => resolve()));
  equal(
    gateway.notify(socket.wa.user!.id, { tag: "ib", attrs: {}, content: [{ tag: "hello", attrs: {} }] }),
    1,
  );
  await heard;
});

Deno.test("Gateway.garble() is noticed by Baileys as a rejection that nobody handles", {
  ...BAILEYS_TIMERS_LEFT,
}, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const socket = await pairAndOpen(gateway, client);
  const rejected = new Promise<unknown>((resolve) => {
    addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      resolve(event.reason);
    }, { once: true });
  });
  equal(gateway.garble(socket.wa.user!.id), 1);
  ok(await rejected instanceof Error);
});

function ping() {
  return {
    tag: "iq",
    attrs: { to: "s.whatsapp.net", type: "get", xmlns: "w:p", id: "silence" },
    content: [{ tag: "ping", attrs: {} }],
  };
}
