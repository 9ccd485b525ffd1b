/** Which refusal is the answer when several apply: the guards' order, pair by pair and all together. */
import assert from "node:assert/strict";
import { stopTime } from "../../../lab/clocks/stopped_time.ts";
import { ask } from "../ask.ts";
import { frontDoor, HEADERS, KEY, OTHER_KEY, VIEW } from "./front_door.ts";

const BASE = "/api/session-manager";
const LARGE = "x".repeat(64 * 1024 + 1);
const FOREIGN = { origin: "https://evil.example" };
const JSON_TYPE = { "content-type": "application/json" };
const OVER = { "content-length": String(LARGE.length) };
const GOOD = JSON.stringify({ instance_id: "a", reason: "NETWORK" });

interface Case {
  /** Method and path below the base. */
  readonly asks: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly answer: string;
  /** Asked so often before that this one is one too many. */
  readonly isTooMany?: boolean;
  /** Without keys. */
  readonly isKeyless?: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "a stranger, before everything else": {
    asks: "PUT /sessions/-",
    headers: { ...FOREIGN, ...OVER },
    body: LARGE,
    isTooMany: true,
    isKeyless: true,
    answer: "403 FORBIDDEN",
  },
  "a stranger, before a path that no route has": {
    asks: "GET /nothing",
    headers: FOREIGN,
    isKeyless: true,
    answer: "403 FORBIDDEN",
  },
  "no key, before wrong method, bad id and large body": {
    asks: "PUT /sessions/-",
    headers: OVER,
    body: LARGE,
    answer: "401 UNAUTHORIZED",
  },
  "no key, before a key's limit": {
    asks: "GET /sessions/a",
    headers: {},
    isTooMany: true,
    answer: "401 UNAUTHORIZED",
  },
  "no key, before a path that no route has": {
    asks: "GET /sessions/a/b",
    headers: {},
    answer: "401 UNAUTHORIZED",
  },
  "no key, before the wrong media type": {
    asks: "POST /internal/events/disconnected",
    headers: { "content-type": "text/plain" },
    body: "x",
    answer: "401 UNAUTHORIZED",
  },
  "a key's limit, before wrong method, bad id and large body": {
    asks: "PUT /sessions/-",
    headers: { ...HEADERS, ...OVER },
    body: LARGE,
    isTooMany: true,
    answer: "429 TOO_MANY_REQUESTS",
  },
  "a key's limit, before a path that no route has": {
    asks: "GET /sessions/a/b",
    headers: HEADERS,
    isTooMany: true,
    answer: "429 TOO_MANY_REQUESTS",
  },
  "a large body, before a wrong method and a bad id": {
    asks: "PUT /sessions/-",
    headers: { ...HEADERS, ...OVER },
    body: LARGE,
    answer: "413 PAYLOAD_TOO_LARGE",
  },
  "a large body, before a path that no route has": {
    asks: "POST /sessions/a/b",
    headers: { ...HEADERS, ...OVER },
    body: LARGE,
    answer: "413 PAYLOAD_TOO_LARGE",
  },
  "a large body, before a bad id": {
    asks: "POST /sessions/-/qr",
    headers: { ...HEADERS, ...OVER },
    body: LARGE,
    answer: "413 PAYLOAD_TOO_LARGE",
  },
  "a large body, before the wrong media type": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, "content-type": "text/plain" },
    body: LARGE,
    answer: "413 PAYLOAD_TOO_LARGE",
  },
  "a wrong method, before a bad id": {
    asks: "PUT /sessions/-",
    headers: HEADERS,
    answer: "405 METHOD_NOT_ALLOWED",
  },
  "a wrong method, before the wrong media type": {
    asks: "PUT /internal/events/disconnected",
    headers: { ...HEADERS, "content-type": "text/plain" },
    body: "x",
    answer: "405 METHOD_NOT_ALLOWED",
  },
  "a path that no route has, before the wrong media type": {
    asks: "POST /internal/events/nothing",
    headers: { ...HEADERS, "content-type": "text/plain" },
    body: "x",
    answer: "404 NOT_FOUND",
  },
  "the wrong media type, before bytes that are no text": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, "content-type": "text/plain" },
    body: new Uint8Array([0xff]),
    answer: "415 UNSUPPORTED_MEDIA_TYPE",
  },
  "bytes that are no text": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, ...JSON_TYPE },
    body: new Uint8Array([0xff]),
    answer: "400 INVALID_REQUEST: The body is not valid UTF-8.",
  },
  "a text that is no JSON": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, ...JSON_TYPE },
    body: "{",
    answer: "400 INVALID_REQUEST: The body is not valid JSON.",
  },
  "a bad field": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, ...JSON_TYPE },
    body: GOOD.replace("NETWORK", "WEATHER"),
    answer: "400 INVALID_REQUEST: reason has to be one of LOGOUT, NETWORK, TIMEOUT, UNKNOWN.",
  },
  "nothing": {
    asks: "POST /internal/events/disconnected",
    headers: { ...HEADERS, ...JSON_TYPE },
    body: GOOD,
    answer: "200",
  },
};

for (
  const [name, { asks, headers, body, answer, isTooMany = false, isKeyless = false }] of Object.entries(CASES)
) {
  Deno.test(`createPipeline() refuses for ${name}`, async () => {
    const asked: string[] = [];
    const use = (id: string) => (asked.push(id), Promise.resolve(VIEW));
    const keys = isKeyless ? { hubKeys: [], internalKeys: [] } : {};
    const { fetch } = frontDoor(
      { read: use, reportDisconnected: use },
      { ...keys, rateLimits: { key: isTooMany ? 1 : 0 } },
    );
    using _stopped = stopTime();
    if (isTooMany) await ask({ fetch }, `${BASE}/sessions/first`, { headers: isKeyless ? {} : HEADERS });
    asked.length = 0;
    const [method = "", path = ""] = asks.split(" ");
    const response = await ask({ fetch }, `${BASE}${path}`, { method, headers, ...(body ? { body } : {}) });
    const { error } = await response.json();
    const said = `${response.status} ${error?.code ?? ""}: ${error?.message ?? ""}`;
    assert.equal(said.slice(0, answer.length), answer);
    assert.equal(asked.length, response.ok ? 1 : 0);
  });
}

Deno.test("createPipeline() counts for a key's limit first, and for an instance's only what that lets through", async () => {
  const { fetch } = frontDoor({}, { rateLimits: { key: 1, read: 1 } });
  using _stopped = stopTime();
  const read = async (id: string, key: string) =>
    (await ask({ fetch }, `${BASE}/sessions/${id}`, { headers: { authorization: `Bearer ${key}` } })).status;
  assert.equal(await read("a", KEY), 200);
  assert.equal(await read("b", KEY), 429);
  assert.equal(await read("b", OTHER_KEY), 200);
});
