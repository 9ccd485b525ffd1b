import assert from "node:assert/strict";
import { ConfigError, isLoopback, parseConfig } from "../config.ts";

const KEY = btoa("k".repeat(32));

/** The sentence with which this environment stops the start. */
function refusal(environment: Record<string, string>): string {
  try {
    parseConfig(environment, 2);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  assert.fail("the configuration was accepted");
}

Deno.test("parseConfig() has the defaults of the contract when nothing is set", () => {
  assert.deepEqual(parseConfig({}, 4), {
    host: "127.0.0.1",
    port: 8080,
    databaseUrl: "sqlite:data/session-manager.db",
    hubKeys: [],
    internalKeys: [],
    credentialsKey: null,
    whatsappUrl: "wss://web.whatsapp.com/ws/chat",
    whatsappRootKey: null,
    whatsappVersion: null,
    qrWaitMs: 20_000,
    socketWorkers: 3,
    maxPairings: 100,
    rateLimits: { key: 500, read: 50, qr: 120 },
    logLevel: "info",
  });
  assert.equal(parseConfig({}, 1).socketWorkers, 1);
  assert.ok(Object.isFrozen(parseConfig({}, 1)));
});

Deno.test("parseConfig() takes an empty value for an absent one", () => {
  assert.deepEqual(parseConfig({ PORT: "", HUB_API_KEY: " ", CREDENTIALS_KEY: "" }, 2), parseConfig({}, 2));
});

Deno.test("parseConfig() reads every variable", () => {
  const config = parseConfig({
    HOST: "0.0.0.0",
    PORT: "9000",
    DATABASE_URL: "mysql://user:p%40ss@db.internal:3306/hub?ssl=true",
    HUB_API_KEY: "hub-key-of-16-chars, hub-key-number-two",
    INTERNAL_API_KEY: "internal-key-one",
    CREDENTIALS_KEY: `${KEY},${KEY}`,
    WHATSAPP_WS_URL: "ws://127.0.0.1:9001/ws/chat",
    WHATSAPP_ROOT_KEY: "AB".repeat(32),
    WHATSAPP_VERSION: "2.3000.1043857760",
    QR_WAIT_MS: "5000",
    SOCKET_WORKERS: "8",
    MAX_PAIRINGS: "7",
    LOG_LEVEL: "debug",
  }, 2);
  assert.deepEqual(config.hubKeys, ["hub-key-of-16-chars", "hub-key-number-two"]);
  assert.deepEqual(config.whatsappVersion, [2, 3000, 1043857760]);
  assert.equal(config.whatsappRootKey, "ab".repeat(32));
  assert.deepEqual([config.port, config.socketWorkers, config.qrWaitMs], [9000, 8, 5000]);
  assert.equal(config.maxPairings, 7);
});

for (
  const [name, values] of Object.entries({
    HOST: ["a b", "http://x"],
    PORT: ["x", "-1", "65536", "80.5", "1e3"],
    DATABASE_URL: ["sqlite:", "postgres://x/y", "mysql://host", "mysql://host/", "mysql://host/a/b", "x"],
    HUB_API_KEY: ["short", "hub-key-of-16-chars,"],
    INTERNAL_API_KEY: ["short"],
    CREDENTIALS_KEY: ["x", btoa("short"), `${KEY},`, `${KEY},${btoa("x")}`],
    WHATSAPP_WS_URL: ["https://web.whatsapp.com", "web.whatsapp.com", ""].filter(Boolean),
    WHATSAPP_ROOT_KEY: ["ab", "x".repeat(64)],
    WHATSAPP_VERSION: ["2.3000", "latest"],
    QR_WAIT_MS: ["0", "600001", "soon"],
    SOCKET_WORKERS: ["0", "65", "all"],
    MAX_PAIRINGS: ["0", "10001", "-1"],
    RATE_LIMIT_KEY: ["-1", "many"],
    RATE_LIMIT_READ: ["1.5"],
    RATE_LIMIT_QR: ["1000001"],
    LOG_LEVEL: ["loud"],
  })
) {
  Deno.test(`parseConfig() names ${name} in one sentence when its value is bad`, () => {
    for (const value of values) {
      const sentence = refusal({ [name]: value });
      assert.ok(sentence.startsWith(`${name} `), sentence);
      assert.ok(sentence.endsWith("."), sentence);
    }
  });
}

Deno.test("parseConfig() never repeats a secret", () => {
  for (const name of ["HUB_API_KEY", "INTERNAL_API_KEY", "CREDENTIALS_KEY"]) {
    assert.ok(!refusal({ [name]: "s3cr3t" }).includes("s3cr3t"));
  }
  assert.ok(!refusal({ DATABASE_URL: "mysql://root:s3cr3t@host" }).includes("s3cr3t"));
});

Deno.test("parseConfig() says how to write a password that a URL cannot hold as it is, and does not repeat it", () => {
  for (
    const password of [
      "hunter2#",
      "#hunter2",
      "12#hunter2",
      "1/hunter2",
      "1?hunter2",
      "1/2?hunter2",
      "%hunter2",
    ]
  ) {
    const sentence = refusal({ DATABASE_URL: `mysql://u:${password}@host:3306/hub`, CREDENTIALS_KEY: KEY });
    assert.match(
      sentence,
      /^DATABASE_URL has .* write # as %23, \/ as %2F, \? as %3F, @ as %40 and % as %25\.$/,
    );
    assert.ok(!sentence.includes("hunter2"), sentence);
  }
  assert.match(refusal({ DATABASE_URL: "mysql://u:a#b@host/hub" }), /has a #, which ends a URL/);
  assert.match(refusal({ DATABASE_URL: "mysql://u:p@host/hub#part" }), /has a #, which ends a URL/);
});

Deno.test("parseConfig() wants CREDENTIALS_KEY with MySQL", () => {
  assert.match(refusal({ DATABASE_URL: "mysql://root@localhost:3306/hub" }), /^CREDENTIALS_KEY is required/);
});

Deno.test("parseConfig() refuses any host but loopback without both keys", () => {
  const [hub, internal] = ["hub-key-of-16-chars", "internal-key-of-16"];
  assert.match(refusal({ HOST: "0.0.0.0" }), /set HUB_API_KEY and INTERNAL_API_KEY first/);
  assert.match(refusal({ HOST: "::", HUB_API_KEY: hub }), /set INTERNAL_API_KEY first/);
  assert.match(refusal({ HOST: "10.0.0.1", INTERNAL_API_KEY: internal }), /set HUB_API_KEY first/);
  assert.equal(
    parseConfig({ HOST: "0.0.0.0", HUB_API_KEY: hub, INTERNAL_API_KEY: internal }, 1).host,
    "0.0.0.0",
  );
});

Deno.test("isLoopback() knows this machine's own addresses", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "127.0.0.1.example.com", "example.com"]) {
    assert.ok(!isLoopback(host), host);
  }
});
