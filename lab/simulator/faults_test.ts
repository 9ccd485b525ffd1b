import { equal, rejects } from "node:assert/strict";
import { BaileysClient, type BaileysSocket, pairAndOpen, trustRoot } from "./baileys_client.ts";
import { LightClient, LightKeys } from "./light_client.ts";
import { type FaultRule, type Gateway, startGateway } from "./mod.ts";
import { BAILEYS_TIMERS_LEFT, NOTHING_LEFT } from "./sanitizers.ts";

/** How long something is waited for that never comes, in milliseconds. */
const IMPATIENCE_MS = 150;
/** How long a connection may take whose server answers in the end, or leaves it hanging once it is there. */
const PATIENCE_MS = 120_000;
const HANGING_MS = 3_000;

async function endsWith(socket: BaileysSocket, code: number | undefined): Promise<void> {
  equal(await socket.closed(), code);
}

Deno.test(
  "faults before the handshake end a Baileys socket each with its code",
  BAILEYS_TIMERS_LEFT,
  async (t) => {
    await using gateway = await startGateway();
    const cases: [FaultRule, number | undefined, number][] = [
      [{ do: "refuse" }, 408, PATIENCE_MS],
      [{ do: "hang-upgrade" }, 408, HANGING_MS],
      [{ do: "hang-handshake" }, 408, HANGING_MS],
      [{ do: "garble-handshake" }, undefined, PATIENCE_MS],
      [{ do: "bad-certificate", flaw: "serial" }, 400, PATIENCE_MS],
    ];
    for (const [rule, code, connectTimeoutMs] of cases) {
      await t.step({
        name: `${JSON.stringify(rule)} ends with ${code}`,
        ...BAILEYS_TIMERS_LEFT,
        fn: async () => {
          const fault = gateway.faults.add({ ...rule, times: 1 });
          await using client = new BaileysClient(gateway, { connectTimeoutMs });
          await endsWith(client.connect(), code);
          equal(fault.used, 1);
          fault.remove();
        },
      });
    }
    equal(gateway.stats.refusals, 2);
    equal(gateway.stats.attemptsAt.length, cases.length);
  },
);

Deno.test("http-status is heard by Baileys, which goes on waiting until it is ended", {
  ...BAILEYS_TIMERS_LEFT,
}, async () => {
  await using gateway = await startGateway();
  for (const status of [403, 429, 503]) {
    gateway.faults.add({ do: "http-status", status, times: 1 });
    await using client = new BaileysClient(gateway);
    const socket = client.connect();
    const heard = new Promise<number>((resolve) => {
      socket.wa.ws.on("unexpected-response", (_request, { statusCode }) => resolve(statusCode));
    });
    equal(await heard, status);
    equal(socket.updates.some(({ connection }) => connection === "close"), false);
  }
  equal(gateway.stats.refusals, 3);
});

Deno.test("bad-certificate shows when a client checks signatures and serial", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const register = () => LightClient.register(gateway, new LightKeys());
  gateway.faults.add({ do: "bad-certificate", flaw: "signature", times: 1 });
  await rejects(register(), /root did not sign/);
  gateway.faults.add({ do: "bad-certificate", flaw: "serial", times: 1 });
  await rejects(register(), /serial is not 0/);
  await using _sound = (await register()).client;
});

Deno.test(
  "failure and downgrade end a Baileys registration with their code",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    for (const code of [401, 403, 405, 500, 503]) {
      gateway.faults.add({ do: "failure", code, kind: "pairing", times: 1 });
      await using client = new BaileysClient(gateway);
      await endsWith(client.connect(), code);
    }
    gateway.faults.add({ do: "downgrade", times: 1 });
    await using client = new BaileysClient(gateway);
    await endsWith(client.connect(), 411);
    equal(gateway.stats.failures, 5);
  },
);

Deno.test("failure and downgrade end a Baileys login with their code, and the next one opens", {
  ...BAILEYS_TIMERS_LEFT,
}, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const { phone } = await paired(gateway, client);
  for (const code of [401, 402, 403, 405, 503]) {
    gateway.faults.add({ do: "failure", code, phone, times: 1 });
    await endsWith(client.connect(), code);
  }
  gateway.faults.add({ do: "downgrade", kind: "login", times: 1 });
  await endsWith(client.connect(), 411);
  await client.connect().open();
});

Deno.test(
  "no-refs leaves a registration without a QR until the server goes",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    gateway.faults.add({ do: "no-refs" });
    await using client = new BaileysClient(gateway);
    const handshake = gateway.when("handshake");
    const socket = client.connect();
    await handshake;
    gateway.dropAll();
    await endsWith(socket, 428);
    equal(socket.qrs.length, 0);
  },
);

Deno.test("no-pair-success leaves a scan unanswered until the client goes", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  gateway.faults.add({ do: "no-pair-success" });
  await using client = new BaileysClient(gateway);
  const socket = client.connect();
  const scanned = gateway.when("scanned");
  const scan = gateway.phone().scanText(await socket.qr());
  await scanned;
  await socket.end();
  equal((await scan).outcome, "closed");
  equal(gateway.stats.pairings, 0);
});

Deno.test("bad-hmac makes Baileys refuse the pairing", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  const phone = gateway.phone();
  gateway.faults.add({ do: "bad-hmac", phone: phone.number });
  await using client = new BaileysClient(gateway);
  const socket = client.connect();
  equal((await phone.scanText(await socket.qr())).outcome, "closed");
  await socket.closed();
  equal(client.creds.me, undefined);
});

Deno.test("no-515 leaves a paired client waiting, or closes on it", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  gateway.faults.add({ do: "no-515", close: true, times: 1 });
  await using closedOn = new BaileysClient(gateway);
  const first = closedOn.connect();
  equal((await gateway.phone().scanText(await first.qr())).outcome, "paired");
  await endsWith(first, 428);
  await closedOn.connect().open();

  gateway.faults.add({ do: "no-515", times: 1 });
  await using waiting = new BaileysClient(gateway);
  const second = waiting.connect();
  equal((await gateway.phone().scanText(await second.qr())).outcome, "paired");
  equal(gateway.connections.some(({ state }) => state === "paired"), true);
  await second.end();
  await waiting.connect().open();
});

Deno.test("no-success leaves a login unanswered", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const { device } = await paired(gateway, client);
  gateway.faults.add({ do: "no-success", device, times: 1 });
  const handshake = gateway.when("handshake");
  const socket = client.connect();
  await handshake;
  await socket.end();
  equal(gateway.stats.logins, 0);
});

Deno.test("no-iq leaves one namespace unanswered and the others not", NOTHING_LEFT, async () => {
  await using gateway = await startGateway();
  const keys = new LightKeys();
  const { client, refs } = await LightClient.register(gateway, keys);
  const scan = gateway.phone().scanText(keys.pairingText(refs[0]!));
  await client.sign(await client.next("iq"), keys);
  const result = await scan;
  await client.end();
  if (result.outcome !== "paired") throw new Error(result.outcome);
  const fault = gateway.faults.add({ do: "no-iq", xmlns: "encrypt" });
  await using again = await LightClient.logIn(gateway, keys, result.device.jid);
  await again.next("success");
  await again.next("ib");
  const digest = { tag: "iq", attrs: { type: "get", xmlns: "encrypt", id: "unheard" }, content: [] };
  await again.send(digest);
  const answer = await again.query("passive", "set", { tag: "active", attrs: {} });
  equal(answer.attrs.id === "unheard", false);
  equal(fault.used, 1);
  equal(result.device.online, false);
});

Deno.test("a fault that strikes online ends an open Baileys with its code", BAILEYS_TIMERS_LEFT, async () => {
  await using gateway = await startGateway();
  await using client = new BaileysClient(gateway);
  const { device } = await paired(gateway, client);
  const cases: [FaultRule, number][] = [
    [{ do: "drop" }, 428],
    [{ do: "drop", how: "close", afterMs: 5 }, 428],
    [{ do: "drop", how: "xmlstreamend" }, 428],
    [{ do: "stream-error", code: 503 }, 503],
    [{ do: "stream-error", child: "conflict", attrs: { type: "replaced" }, afterMs: 5 }, 440],
  ];
  for (const [rule, code] of cases) {
    gateway.faults.add({ ...rule, device, times: 1 });
    const online = gateway.when("online", { timeoutMs: 120_000 });
    const socket = client.connect();
    // Whether Baileys has called itself open before it is ended is up to the machine.
    await online;
    await endsWith(socket, code);
  }
  equal(gateway.stats.overlaps, 0);
});

Deno.test(
  "silence leaves what Baileys asks unanswered when it strikes online",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    await using client = new BaileysClient(gateway);
    const { device } = await paired(gateway, client);
    gateway.faults.add({ do: "silence", device, times: 1 });
    const online = gateway.when("online");
    const socket = client.connect();
    await socket.open();
    await online;
    equal(
      await socket.wa.query(ping(), IMPATIENCE_MS).then(() => "answered", () => "unanswered"),
      "unanswered",
    );
    const ending = socket.closed();
    gateway.dropAll();
    equal(await ending, 428);
  },
);

Deno.test(
  "delay holds back every stage and the client still pairs and opens",
  BAILEYS_TIMERS_LEFT,
  async () => {
    await using gateway = await startGateway();
    using _trust = trustRoot(gateway);
    const stages = ["handshake", "pairing", "success", "515", "iq"] as const;
    const faults = stages.map((stage) => gateway.faults.add({ do: "delay", stage, ms: 10 }));
    await using client = new BaileysClient(gateway);
    await pairAndOpen(gateway, client);
    equal(faults.every(({ used }) => used > 0), true);
  },
);

/** Pairs a client without opening it. */
async function paired(gateway: Gateway, client: BaileysClient): Promise<{ phone: string; device: string }> {
  const pairing = client.connect();
  const result = await gateway.phone().scanText(await pairing.qr());
  if (result.outcome !== "paired") throw new Error(result.outcome);
  await pairing.closed();
  return { phone: result.device.phone, device: result.device.jid };
}

function ping() {
  return {
    tag: "iq",
    attrs: { to: "s.whatsapp.net", type: "get", xmlns: "w:p", id: "silence" },
    content: [{ tag: "ping", attrs: {} }],
  };
}
