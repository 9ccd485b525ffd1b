import assert from "node:assert/strict";
import fc from "fast-check";
import document from "../../openapi.json" with { type: "json" };
import { createApp } from "../../routes/app.ts";
import { isLocal } from "../../routes/pipeline/callers.ts";
import { QR, VIEW } from "./pipeline/front_door.ts";

const BASE = "/api/session-manager";
const HUB_KEY = "h".repeat(16);
const INTERNAL_KEY = "i".repeat(16);

/** By hosts and headers of programs of this machine, and of pages that it has served itself. */
const LOCAL: readonly Record<string, string>[] = [
  { host: "localhost" },
  { host: "LocalHost:8080" },
  { host: "localhost.:8080" },
  { host: "127.0.0.1:8080" },
  { host: "127.1.2.3" },
  { host: "127.0.0.1." },
  { host: "[::1]:8080" },
  { host: "localhost", origin: "http://localhost:8080", "sec-fetch-site": "same-origin" },
  { host: "localhost", origin: "http://localhost:3000", "sec-fetch-site": "same-site" },
  { host: "localhost", origin: "https://127.0.0.1" },
  { host: "[::1]", origin: "http://[::1]:8080" },
  { host: "localhost", "sec-fetch-site": "none" },
];

const FOREIGN: readonly Record<string, string>[] = [
  { host: "evil.example" },
  { host: "evil.example:8080" },
  { host: "localhost.evil.example" },
  { host: "evil.localhost" },
  { host: "127.0.0.1.evil.example" },
  { host: "127.0.0.1.nip.io" },
  { host: "192.168.1.10" },
  { host: "0.0.0.0:8080" },
  { host: "[::]:8080" },
  { host: "[::ffff:127.0.0.1]" },
  { host: "localhost@evil.example" },
  { host: "localhost:8080@evil.example" },
  { host: "localhost:8080:80" },
  { host: "localhost, evil.example" },
  { host: "" },
  { host: "localhost", origin: "https://evil.example" },
  { host: "localhost", origin: "http://localhost.evil.example" },
  { host: "localhost", origin: "null" },
  { host: "localhost", origin: "" },
  { host: "localhost", origin: "localhost" },
  { host: "localhost", origin: "file://" },
  { host: "localhost", origin: "chrome-extension://localhost" },
  { host: "localhost", origin: "http://localhost:8080, https://evil.example" },
  { host: "localhost", origin: "http://localhost/@evil.example" },
  { host: "localhost", "sec-fetch-site": "cross-site" },
  { host: "localhost", origin: "http://localhost:8080", "sec-fetch-site": "cross-site" },
];

/** As a server makes it of a request without a target in absolute form. */
function incoming(headers: Readonly<Record<string, string>>, path = "/"): Request {
  const url = `http://${headers.host ?? "localhost:8080"}${path}`;
  // The runtime's server takes hosts that make no URL.
  return { url, headers: new Headers(headers) } as Request;
}

Deno.test("isLocal() is true of programs of this machine, and false of pages of other sites and foreign names", () => {
  for (const headers of LOCAL) assert.equal(isLocal(incoming(headers)), true, JSON.stringify(headers));
  for (const headers of FOREIGN) assert.equal(isLocal(incoming(headers)), false, JSON.stringify(headers));
});

Deno.test("isLocal() takes a request without Host, which no browser sends", () => {
  assert.equal(isLocal({ url: "http://localhost:8080/", headers: new Headers() }), true);
});

Deno.test("isLocal() takes the host of an absolute target as seriously as that of the header", () => {
  const host = new Headers({ host: "localhost" });
  assert.equal(isLocal({ url: "http://localhost/a", headers: host }), true);
  for (const url of ["http://evil.example/a", "http://evil.example", "http://localhost@evil.example?/"]) {
    assert.equal(isLocal({ url, headers: host }), false, url);
  }
  assert.equal(isLocal({ url: "http://localhost/a", headers: new Headers({ host: "evil.example" }) }), false);
});

Deno.test("isLocal() accepts no host that a browser would look up", () => {
  const label = fc.constantFrom(
    "localhost",
    "127.0.0.1",
    "127",
    "[::1]",
    "evil",
    "example",
    "nip.io",
    "1",
    "0",
  );
  const joint = fc.constantFrom(".", "", "@", ":", "-", ":80", "#", "?", "/", "\\", "%2e", "..");
  const host = fc.array(fc.tuple(label, joint), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.flat().join(""));
  fc.assert(
    fc.property(host, (text) => {
      const url = `http://${text}/`;
      // A browser asks for no URL whose port is no port.
      if (!isLocal(incoming({ host: text })) || !URL.canParse(url)) return;
      const { hostname } = new URL(url);
      assert.match(hostname, /^(localhost\.?|127(\.\d+){3}|\[::1\])$/);
    }),
    { numRuns: 2_000 },
  );
});

/** The front door, and what was asked of the rooms behind it. */
function frontDoor(hubKeys: string[], internalKeys: string[]) {
  const asked: string[] = [];
  const use = <T>(name: string, answer: T) => () => (asked.push(name), Promise.resolve(answer));
  const app = createApp({
    sessions: {
      read: use("read", VIEW),
      requestQr: use("qr", QR),
      reportConnected: use("connected", VIEW),
      reportDisconnected: use("disconnected", VIEW),
    },
    operations: {
      readiness: use("ready", { status: "ready", checks: { database: "ok", workers: "ok" } } as const),
      metrics: use("metrics", ""),
    },
    hubKeys,
    internalKeys,
    rateLimits: { key: 0, read: 0, qr: 0 },
    log: { debug: () => {}, info: () => {}, error: () => {} },
    meter: { observe: () => {} },
  });
  const ask = async (
    [method, path]: readonly [string, string],
    headers: Readonly<Record<string, string>>,
  ) => {
    const body = path.includes("/internal/") && method === "POST"
      ? JSON.stringify({ instance_id: "a", phone_number: "+5491155550000", reason: "NETWORK" })
      : null;
    const response = await app.fetch(
      new Request(`http://${headers.host}${path}`, {
        method,
        headers: { ...headers, ...(body === null ? {} : { "content-type": "application/json" }) },
        body,
      }),
    );
    const text = await response.text();
    return `${response.status} ${response.ok || text === "" ? "" : JSON.parse(text).error?.code}`.trim();
  };
  return { ask, asked };
}

const HUB = [["GET", `${BASE}/sessions/a`], ["GET", `${BASE}/sessions/%61`], [
  "POST",
  `${BASE}/sessions/a/qr`,
], ["POST", `${BASE}/sessions/%61/qr`]] as const;
const INTERNAL = [
  ["POST", `${BASE}/internal/events/connected`],
  ["POST", `${BASE}/internal/events/disconnected`],
  ["GET", "/metrics"],
] as const;
const OPEN = [["GET", "/healthz"], ["GET", "/readyz"], ["GET", "/docs"], ["GET", "/openapi.json"]] as const;
const OTHERS = [["GET", "/"], ["OPTIONS", `${BASE}/sessions/a/qr`], ["DELETE", `${BASE}/sessions/a`], [
  "HEAD",
  `${BASE}/sessions/a`,
], ["GET", `${BASE}/sessions/a%20b`]] as const;

const HERE = { host: "localhost:8080" };
const STRANGERS = [
  { host: "evil.example:8080" },
  { ...HERE, origin: "https://evil.example" },
  { ...HERE, origin: "null" },
  { ...HERE, "sec-fetch-site": "cross-site" },
];

Deno.test("createApp() refuses strangers on every route, and does nothing for them, where no key is set", async () => {
  const { ask, asked } = frontDoor([], []);
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path.replace("{instance_id}", "a")] as const)
  );
  for (const route of [...HUB, ...INTERNAL, ...OPEN, ...OTHERS, ...documented]) {
    for (const headers of STRANGERS) {
      const expected = route[0] === "HEAD" ? /^403/ : /^403 FORBIDDEN$/;
      assert.match(await ask(route, headers), expected, `${route.join(" ")} ${JSON.stringify(headers)}`);
    }
  }
  assert.deepEqual(asked, []);
  for (const route of [...HUB, ...INTERNAL, ...OPEN]) {
    assert.equal(await ask(route, HERE), "200", route.join(" "));
  }
});

for (const host of ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"]) {
  Deno.test(`createApp() serves /docs and what its page asks for, in a browser at ${host}`, async () => {
    const { ask } = frontDoor([], []);
    const page = { host, "sec-fetch-site": "none", "sec-fetch-mode": "navigate" };
    assert.equal(await ask(["GET", "/docs"], page), "200");
    const own = { host, "sec-fetch-site": "same-origin" };
    for (const route of [...HUB, ...INTERNAL, ...OPEN]) {
      assert.equal(await ask(route, route[0] === "POST" ? { ...own, origin: `http://${host}` } : own), "200");
    }
  });
}

Deno.test("createApp() guards the endpoints of a kind of caller that has no key, and those alone", async () => {
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  for (
    const [hubKeys, internalKeys, guarded, keyed, key] of [
      [[HUB_KEY], [], INTERNAL, HUB, HUB_KEY],
      [[], [INTERNAL_KEY], HUB, INTERNAL, INTERNAL_KEY],
    ] as const
  ) {
    const { ask, asked } = frontDoor([...hubKeys], [...internalKeys]);
    for (const headers of STRANGERS) {
      for (const route of guarded) {
        assert.equal(await ask(route, headers), "403 FORBIDDEN");
        assert.equal(await ask(route, { ...headers, ...bearer(key) }), "403 FORBIDDEN");
      }
      for (const route of keyed) assert.equal(await ask(route, headers), "401 UNAUTHORIZED");
    }
    assert.deepEqual(asked, []);
    for (const route of guarded) assert.equal(await ask(route, HERE), "200");
    for (const headers of STRANGERS) {
      for (const route of keyed) assert.equal(await ask(route, { ...headers, ...bearer(key) }), "200");
      for (const route of OPEN) assert.equal(await ask(route, headers), "200");
    }
  }
});
