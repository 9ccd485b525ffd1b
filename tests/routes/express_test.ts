import assert from "node:assert/strict";
import { SessionManagerError } from "../../domain/errors.ts";
import { listen } from "../../listener.ts";
import { createApp } from "../../routes/app.ts";
import { Keyring } from "../../routes/auth.ts";
import type { Sessions } from "../../routes/ports.ts";
import { stopTime } from "../../lab/clocks/stopped_time.ts";

const BASE = "/api/session-manager/sessions";
const KEY = "k".repeat(16);
const HEADERS = { authorization: `Bearer ${KEY}` };
const VIEW = {
  instance_id: "a",
  status: "connected",
  qr_status: "used",
  qr_string: null,
  qr_expires_at: null,
} as const;
const QR = { qr_string: "data:image/png;base64,AAAA", qr_expires_at: "2026-01-04T12:34:56Z" };

function frontDoor(options: { key?: number; read?: number; sessions?: Partial<Sessions> } = {}) {
  const asked: string[] = [];
  const answered: { route: string; method: string; status: number }[] = [];
  const lines: Record<string, unknown>[] = [];
  const use = <T>(answer: T) => (instanceId: string) => {
    asked.push(instanceId);
    return Promise.resolve(answer);
  };
  const app = createApp({
    sessions: {
      read: use(VIEW),
      requestQr: use(QR),
      reportConnected: use(VIEW),
      reportDisconnected: use(VIEW),
      ...options.sessions,
    },
    operations: {
      readiness: () =>
        Promise.resolve({ status: "ready", checks: { database: "ok", workers: "ok" } } as const),
      metrics: () => Promise.resolve(""),
    },
    hubKeys: [KEY, "another".repeat(5)],
    internalKeys: [],
    rateLimits: { key: options.key ?? 0, read: options.read ?? 0, qr: 0 },
    log: { debug: () => {}, info: (line) => void lines.push(line), error: (line) => void lines.push(line) },
    meter: { observe: ({ route, method, status }) => void answered.push({ route, method, status }) },
  });
  return { app, asked, answered, lines };
}

Deno.test("the express way and the usual way give the same answer", async () => {
  for (
    const [express, usual] of [
      [() => new Request(`http://x${BASE}/a`, { headers: HEADERS }), `${BASE}/%61`],
      [() => new Request(`http://x${BASE}/a/qr`, { method: "POST", headers: HEADERS }), `${BASE}/%61/qr`],
    ] as const
  ) {
    const { app, asked, answered } = frontDoor();
    const one = await app.fetch(express());
    const other = await app.request(usual, { method: express().method, headers: HEADERS });
    assert.equal(one.status, 200);
    assert.equal(await one.text(), await other.text());
    for (const name of ["content-type", "cache-control"]) {
      assert.equal(one.headers.get(name), other.headers.get(name));
    }
    assert.deepEqual(asked, ["a", "a"]);
    assert.deepEqual(answered[0], answered[1]);
  }
});

Deno.test("an answer carries the caller's request id, or ours where it leaves a line in the log", async () => {
  const { app, lines } = frontDoor();
  const given = await app.request(`${BASE}/a`, { headers: { ...HEADERS, "x-request-id": "hub-7" } });
  assert.equal(given.headers.get("x-request-id"), "hub-7");
  const quiet = await app.request(`${BASE}/a`, { headers: HEADERS });
  assert.equal(quiet.headers.get("x-request-id"), null);
  const told = await app.request(`${BASE}/a/qr`, { method: "POST", headers: HEADERS });
  assert.match(told.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.request_id, told.headers.get("x-request-id"));
});

Deno.test("what is known at once is no news, and is answered each time as the first", async () => {
  const { app, lines, answered } = frontDoor({ sessions: { read: () => VIEW, requestQr: () => QR } });
  for (const [path, method, body] of [[`${BASE}/a`, "GET", VIEW], [`${BASE}/a/qr`, "POST", QR]] as const) {
    for (let i = 0; i < 4; i++) {
      const response = await app.request(path, { method, headers: HEADERS });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-request-id"), null);
      assert.deepEqual(await response.json(), body);
    }
  }
  assert.deepEqual(lines, []);
  assert.equal(answered.length, 8);
});

for (const host of ["127.0.0.1", "0.0.0.0"]) {
  Deno.test(`an answer that is given again goes out as the first did, by the server on ${host}`, async () => {
    const { app } = frontDoor({ sessions: { read: () => VIEW } });
    const listener = await listen({ host, port: 0 }, app.fetch);
    const answers = [];
    for (let i = 0; i < 4; i++) {
      const response = await fetch(`http://127.0.0.1:${listener.port}${BASE}/a`, { headers: HEADERS });
      const { "content-type": type, "cache-control": cache } = Object.fromEntries(response.headers);
      answers.push({ status: response.status, type, cache, body: await response.text() });
    }
    const first = { status: 200, type: "application/json", cache: "no-store", body: JSON.stringify(VIEW) };
    assert.deepEqual(answers, [first, first, first, first]);
    await listener.shutdown();
  });
}

Deno.test("a key has one allowance, however its header is written and on both ways", async () => {
  const { app } = frontDoor({ key: 3 });
  using _stopped = stopTime();
  const statuses = [];
  for (
    const [path, authorization] of [
      [`${BASE}/a`, `Bearer ${KEY}`],
      [`${BASE}/a`, `bearer ${KEY}`],
      [`${BASE}/%61`, `BEARER   ${KEY} `],
      [`${BASE}/a`, `Bearer  ${KEY}`],
      [`${BASE}/a`, `Bearer ${"another".repeat(5)}`],
    ] as const
  ) {
    statuses.push((await app.request(path, { headers: { authorization } })).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 200]);
});

Deno.test("a fault on the express way is the catalogue's, and a limit holds for both ways together", async () => {
  const gone = new SessionManagerError("SESSION_NOT_FOUND");
  const { app } = frontDoor({ read: 1, sessions: { read: () => Promise.reject(gone) } });
  using _stopped = stopTime();
  const missing = await app.request(`${BASE}/a`, { headers: HEADERS });
  assert.equal(missing.status, 404);
  assert.deepEqual(await missing.json(), { error: { code: gone.code, message: gone.message } });
  for (const path of [`${BASE}/a`, `${BASE}/%61`]) {
    const refused = await app.request(path, { headers: HEADERS });
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "1");
  }
});

Deno.test("a POST with a body is read, and refused when it is too large", async () => {
  const { app } = frontDoor();
  const post = (size: number) =>
    app.request(`${BASE}/a/qr`, {
      method: "POST",
      headers: { ...HEADERS, "content-length": String(size) },
      body: "x".repeat(size),
    });
  assert.equal((await post(10)).status, 200);
  assert.equal((await post(70_000)).status, 413);
});

Deno.test("without a key nobody passes", async () => {
  const { app, asked } = frontDoor();
  for (const header of [undefined, "", KEY, `Bearer ${KEY}k`, `Basic ${KEY}`]) {
    const response = await app.request(
      `${BASE}/a`,
      header === undefined ? {} : {
        headers: { authorization: header },
      },
    );
    assert.equal(response.status, 401);
  }
  assert.deepEqual(asked, []);
});

Deno.test("Keyring.identify() takes each of its keys whole, and nothing that only begins or ends like one", () => {
  const short = "s".repeat(16);
  const long = `${short}${"l".repeat(40)}`;
  const keys = new Keyring([short, long, "ñandú".repeat(4)]);
  for (const key of [short, long, "ñandú".repeat(4)]) assert.equal(keys.identify(`bearer ${key} `), key);
  for (const key of [short.slice(1), `${short}l`, long.slice(0, -1), `${long}l`, `${long}\0`, "", "ñ"]) {
    assert.equal(keys.identify(`Bearer ${key}`), null, key);
  }
  for (const header of [null, ""]) assert.equal(keys.identify(header), null);
});
