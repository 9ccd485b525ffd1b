import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { startGateway } from "../../lab/simulator/mod.ts";
import { fault, Hub } from "../../lab/hub.ts";
import { head } from "../../lab/raw.ts";
import { hubOf, serviceProcess, type TestProcess } from "../../lab/process.ts";

/** A service of its own process against a gateway, on an embedded database. */
async function withService(
  body: (parts: {
    gateway: Awaited<ReturnType<typeof startGateway>>;
    start: (environment?: Record<string, string>) => TestProcess;
    /** The database's file. */
    database: string;
  }) => Promise<void>,
): Promise<void> {
  await using gateway = await startGateway();
  const folder = await Deno.makeTempDir();
  const environment = {
    PORT: String(freePort()),
    DATABASE_URL: `sqlite:${folder}/sessions.db`,
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    SOCKET_WORKERS: "1",
  };
  try {
    await body({
      gateway,
      database: `${folder}/sessions.db`,
      start: (more) => serviceProcess({ ...environment, ...more }),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the table says of each session. */
function statuses(path: string): Record<string, unknown> {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database.prepare("SELECT instance_id, status FROM ll_whatsapp_qr_sessions").all();
    return Object.fromEntries(rows.map(({ instance_id, status }) => [instance_id, status]));
  } finally {
    database.close();
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return (listener.addr as Deno.NetAddr).port;
}

async function link(hub: Hub, gateway: Awaited<ReturnType<typeof startGateway>>, instanceId: string) {
  const phone = gateway.phone();
  const online = gateway.when("online", { phone: phone.number });
  const { qr_string } = await hub.qr(instanceId);
  await phone.scan(qr_string);
  await online;
  return phone;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} finishes requests, closes sockets without unlinking, settles rows and exits 0`, async () => {
    await withService(async ({ gateway, start, database }) => {
      await using service = start();
      const hub = await hubOf(service);
      const phone = await link(hub, gateway, "linked");
      gateway.faults.add({ do: "no-refs", times: 1 });
      const waiting = hub.requestQr("waiting");
      await gateway.when("handshake");
      const closed = gateway.when("closed", { phone: phone.number });
      service.kill(signal);
      assert.equal((await waiting).status, 500);
      await closed;
      assert.equal(await service.exit(), 0);
      assert.equal(phone.devices.length, 1);
      assert.deepEqual(statuses(database), { linked: "disconnected", waiting: "init" });
      await using again = start();
      await hubOf(again);
      await gateway.when("online", { phone: phone.number });
    });
  });
}

/** Connects, and sends these bytes; what is answered is not read. */
async function say(port: number, text: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  return connection;
}

const HUB_KEY = "hub-key-0123456789";
const INTERNAL_KEY = "internal-key-0123456789";

/** By server: the runtime's own, and Node's. */
const LISTENERS: readonly Record<string, string>[] = [
  { HOST: "127.0.0.1" },
  { HOST: "0.0.0.0", HUB_API_KEY: HUB_KEY, INTERNAL_API_KEY: INTERNAL_KEY },
];

for (const environment of LISTENERS) {
  Deno.test(`SIGTERM does not wait for clients that leave their requests half-sent or answers unread, on ${environment.HOST}`, async () => {
    await withService(async ({ gateway, start }) => {
      await using service = start({ ...environment, QR_WAIT_MS: "600000" });
      const { port } = await service.event("listening");
      const hub = new Hub(`http://127.0.0.1:${port}`, environment.HUB_API_KEY);
      gateway.faults.add({ do: "no-refs", times: 1 });
      const waiting = hub.requestQr("waiting");
      await gateway.when("handshake");

      using connections = new DisposableStack();
      const client = async (text: string) => connections.use(await say(port, text));
      const own = ["Host: localhost", `Authorization: Bearer ${INTERNAL_KEY}`];
      const event = "POST /api/session-manager/internal/events/connected HTTP/1.1";
      const body = ["Content-Type: application/json", "Content-Length: 100"];
      const idle = await client("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.ok(await idle.read(new Uint8Array(16)));
      await client("");
      await client("GET /healthz HTTP/1.1\r\nHost: loc");
      await client(`${head(event, [...own, body[0]!, "Transfer-Encoding: chunked"])}5\r\n{"ins`);
      // More than the buffers between the two ends hold.
      const get = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
      await client(get.repeat(500));
      // Its headers have been read, which the server says, and so have those that came before.
      const half = await client(head(event, [...own, ...body, "Expect: 100-continue"]));
      assert.ok(await half.read(new Uint8Array(16)));
      await half.write(new TextEncoder().encode('{"instance_id":'));

      service.kill("SIGTERM");
      assert.equal(fault(await waiting), "500 QR_GENERATION_FAILED");
      assert.equal(await service.exit(), 0);
    });
  });
}

Deno.test("a second signal ends the service at once", async () => {
  await withService(async ({ gateway, start }) => {
    await using service = start();
    const hub = await hubOf(service);
    await link(hub, gateway, "linked");
    service.kill("SIGTERM");
    service.kill("SIGINT");
    assert.ok([0, 130].includes(await service.exit()));
  });
});

Deno.test("a port that is taken is said in one sentence", async () => {
  await withService(async ({ start }) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using service = start({ PORT: String((taken.addr as Deno.NetAddr).port) });
    assert.equal(await service.exit(), 78);
    assert.match(service.stderr, /^HOST 127\.0\.0\.1 with PORT \d+ is taken/);
    taken.close();
  });
});
