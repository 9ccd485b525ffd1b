/**
 * Requests that no client of good will sends, over TCP, to both servers: each gets a 4xx of the catalogue, or of the
 * server where it is no HTTP; none gets a 5xx, and none is left without an end.
 */
import assert from "node:assert/strict";
import { listen } from "../../listener.ts";
import { createApp } from "../../routes/app.ts";
import { ErrorAnswer } from "../../routes/document/errors.ts";
import { head, raw } from "../../lab/raw.ts";
import { QR, VIEW } from "./pipeline/front_door.ts";

const BASE = "/api/session-manager";
const SESSION = `${BASE}/sessions/a`;
const EVENT = `${BASE}/internal/events/disconnected`;
const KEY = "k".repeat(16);
const LIMIT = 64 * 1024;
const OWN = ["Host: localhost", `Authorization: Bearer ${KEY}`];
const GOOD = JSON.stringify({ instance_id: "a", reason: "NETWORK" });

const bytes = (text: string) => new TextEncoder().encode(text);

function get(target: string, { method = "GET", version = "1.1", headers = OWN } = {}): string {
  return head(`${method} ${target} HTTP/${version}`, headers);
}

function post(body: string | Uint8Array, headers: readonly string[] = [], path = EVENT): Uint8Array {
  const content = typeof body === "string" ? bytes(body) : body;
  const type = headers.some((each) => /^content-type:/i.test(each)) ? [] : ["Content-Type: application/json"];
  const start = bytes(
    head(`POST ${path} HTTP/1.1`, [...OWN, ...type, ...headers, `Content-Length: ${content.length}`]),
  );
  return new Uint8Array([...start, ...content]);
}

function chunked(text: string): string {
  return head(`POST ${EVENT} HTTP/1.1`, [
    ...OWN,
    "Content-Type: application/json",
    "Transfer-Encoding: chunked",
  ]) + text;
}

/** A good event with an ignored field that makes it so many bytes. */
function padded(size: number): string {
  const rest = GOOD.replace("}", ',"padding":""}');
  return rest.replace('""}', `"${"x".repeat(size - rest.length)}"}`);
}

const MARK = bytes('"');
const withByte = (byte: number) =>
  new Uint8Array([...bytes(GOOD.replace("}", ',"x":')), ...MARK, byte, ...MARK, ...bytes("}")]);

const BAD_ID = "400 INVALID_REQUEST";
const BAD_BODY = "400 INVALID_REQUEST";
const BAD_METHOD = "405 METHOD_NOT_ALLOWED";
/** What the servers themselves say. The runtime's says it without a body, and nothing can be added to it. */
const NO_HTTP = ["400", "400 INVALID_REQUEST"] as const;
/** The connection is closed without an answer. */
const ENDED = "ended";

/** The answer of the server on loopback, and that of the other; one where they are the same. */
type Expected = string | RegExp | readonly [string | RegExp, string | RegExp];

const REQUESTS: Readonly<Record<string, readonly [string | Uint8Array, Expected]>> = {
  "an escaped id": [get(`${BASE}/sessions/%61`), "200"],
  "an id with a slash": [get(`${BASE}/sessions/a%2fqr`), BAD_ID],
  "an id that is escaped twice": [get(`${BASE}/sessions/%2561`), BAD_ID],
  "an id with half an escape": [get(`${BASE}/sessions/%zz`), BAD_ID],
  "an id that is no UTF-8": [get(`${BASE}/sessions/%ff`), BAD_ID],
  "an id with an overlong dot": [get(`${BASE}/sessions/%c0%ae`), BAD_ID],
  "an id with NUL": [get(`${BASE}/sessions/%00`), BAD_ID],
  "an id of the prototype": [get(`${BASE}/sessions/__proto__`), BAD_ID],
  "an id like a property": [get(`${BASE}/sessions/constructor`), "200"],
  "an id with a matrix parameter": [get(`${BASE}/sessions/a;b`), BAD_ID],
  "an id that is not escaped": [get(`${BASE}/sessions/ñ`), [BAD_ID, NO_HTTP[1]]],
  "an id of 20 kB": [get(`${BASE}/sessions/${"a".repeat(20_000)}`), [BAD_ID, "431 INVALID_REQUEST"]],
  "an id of dots": [get(`${BASE}/sessions/..`), [BAD_ID, "404 NOT_FOUND"]],
  "an id of escaped dots": [get(`${BASE}/sessions/%2e%2e`), [BAD_ID, "404 NOT_FOUND"]],
  "no id": [get(`${BASE}/sessions//qr`, { method: "POST" }), "404 NOT_FOUND"],
  "two slashes": [get(`${BASE}//sessions/a`), "404 NOT_FOUND"],
  "two slashes in front": [get(`/${SESSION}`), "404 NOT_FOUND"],
  "a slash behind": [get(`${SESSION}/`), "404 NOT_FOUND"],
  "another case": [get("/API/session-manager/sessions/a"), "404 NOT_FOUND"],
  "a QR of a QR": [get(`${SESSION}/qr/qr`, { method: "POST" }), "404 NOT_FOUND"],
  "a query": [get(`${SESSION}?x=/qr`), "200"],
  "a QR with a query": [get(`${SESSION}/qr?x=/qr`, { method: "POST" }), "200"],
  "HEAD": [get(SESSION, { method: "HEAD" }), "200"],
  "HEAD of a QR": [get(`${SESSION}/qr`, { method: "HEAD" }), "405"],
  "OPTIONS": [get(SESSION, { method: "OPTIONS" }), BAD_METHOD],
  "OPTIONS of the server": [get("*", { method: "OPTIONS" }), ["404 NOT_FOUND", NO_HTTP[1]]],
  "TRACE": [get(SESSION, { method: "TRACE" }), BAD_METHOD],
  "TRACE with a body": [
    head(`TRACE ${EVENT} HTTP/1.1`, [...OWN, "Content-Type: application/json", "Content-Length: 3"]) + "abc",
    BAD_METHOD,
  ],
  "CONNECT": [get("localhost:80", { method: "CONNECT" }), ["404 NOT_FOUND", ENDED]],
  "a made-up method": [get(SESSION, { method: "BREW" }), [BAD_METHOD, NO_HTTP[1]]],
  "a method in small letters": [get(SESSION, { method: "get" }), [BAD_METHOD, NO_HTTP[1]]],
  "a QR in small letters": [get(`${SESSION}/qr`, { method: "post" }), [BAD_METHOD, NO_HTTP[1]]],
  "GET with a body": [head(`GET ${SESSION} HTTP/1.1`, [...OWN, "Content-Length: 3"]) + "abc", "200"],
  "GET of an escaped id with a body": [
    head(`GET ${BASE}/sessions/%61 HTTP/1.1`, [...OWN, "Content-Length: 3"]) + "abc",
    "200",
  ],
  "a QR with a body": [post("abc", [], `${SESSION}/qr`), "200"],
  "a QR with a body beyond the limit": [
    post("x".repeat(LIMIT + 1), [], `${SESSION}/qr`),
    "413 PAYLOAD_TOO_LARGE",
  ],
  "a wrong method with a body beyond the limit": [
    head(`PUT ${SESSION} HTTP/1.1`, [...OWN, `Content-Length: ${LIMIT + 1}`]) + "x".repeat(LIMIT + 1),
    "413 PAYLOAD_TOO_LARGE",
  ],
  "PUT with a body": [head(`PUT ${SESSION} HTTP/1.1`, [...OWN, "Content-Length: 3"]) + "abc", BAD_METHOD],
  "HTTP/1.0 without Host": [get(SESSION, { version: "1.0", headers: OWN.slice(1) }), "200"],
  "HTTP/1.0 with a body": [
    head(`POST ${EVENT} HTTP/1.0`, [
      ...OWN.slice(1),
      "Content-Type: application/json",
      `Content-Length: ${GOOD.length}`,
    ]) + GOOD,
    "200",
  ],
  "HTTP/1.2": [get(SESSION, { version: "1.2" }), NO_HTTP],
  "no HTTP": ["\x16\x03\x01\x02\r\n\r\n", NO_HTTP],
  "two hosts": [get(SESSION, { headers: ["Host: localhost", ...OWN] }), ["400", "200"]],
  "a host that makes no URL": [
    head(`POST ${EVENT} HTTP/1.1`, [
      "Host: a b",
      ...OWN.slice(1),
      "Content-Type: application/json",
      `Content-Length: ${GOOD.length}`,
    ]) + GOOD,
    ["200", NO_HTTP[1]],
  ],
  "a target in absolute form": [get(`http://localhost${SESSION}`), "200"],
  "a target of another scheme": [get(`ftp://localhost${SESSION}`), ["200", NO_HTTP[1]]],
  "two keys, the first wrong": [
    get(SESSION, { headers: ["Host: localhost", "Authorization: Bearer wrong", ...OWN.slice(1)] }),
    "401 UNAUTHORIZED",
  ],
  "two keys, the second wrong": [
    get(SESSION, { headers: [...OWN, "Authorization: Bearer wrong"] }),
    "401 UNAUTHORIZED",
  ],
  "a key of 12 kB": [
    get(SESSION, { headers: ["Host: localhost", `Authorization: Bearer ${"k".repeat(12_000)}`] }),
    "401 UNAUTHORIZED",
  ],
  "a header of 2 MB": [
    get(SESSION, { headers: [...OWN, `X: ${"x".repeat(2_000_000)}`] }),
    ["400", "431 INVALID_REQUEST"],
  ],
  "a folded header": [get(SESSION, { headers: [...OWN, "X: a\r\n b"] }), NO_HTTP],
  "a space before a colon": [get(SESSION, { headers: [...OWN, "X : a"] }), NO_HTTP],
  "NUL in a header": [get(SESSION, { headers: [...OWN, "X: a\0b"] }), NO_HTTP],
  "two media types": [
    post(GOOD, ["Content-Type: application/json", "Content-Type: text/plain"]),
    /^4(00|15) /,
  ],
  "a media type with a space": [post(GOOD, ["Content-Type: application/json ; charset=utf-8"]), "200"],
  "a media type in capitals": [post(GOOD, ["Content-Type: Application/JSON"]), "200"],
  "no media type": [post(GOOD, ["Content-Type: "]), "415 UNSUPPORTED_MEDIA_TYPE"],
  "a media type like JSON's": [
    post(GOOD, ["Content-Type: application/x+json"]),
    "415 UNSUPPORTED_MEDIA_TYPE",
  ],
  "a length below none": [head(`POST ${EVENT} HTTP/1.1`, [...OWN, "Content-Length: -1"]), NO_HTTP],
  "a length beyond numbers": [
    head(`POST ${EVENT} HTTP/1.1`, [...OWN, `Content-Length: ${"9".repeat(30)}`]),
    NO_HTTP,
  ],
  "two lengths": [post(GOOD, ["Content-Length: 3"]), NO_HTTP],
  "a length and chunks": [post("0\r\n\r\n", ["Transfer-Encoding: chunked"]), NO_HTTP],
  "chunks": [chunked(`${GOOD.length.toString(16)};x=y\r\n${GOOD}\r\n0\r\nX: y\r\n\r\n`), "200"],
  "a chunk without a length": [chunked("zz\r\nabc\r\n0\r\n\r\n"), [/^ended$|^400/, NO_HTTP[1]]],
  "a chunk with another length": [chunked("3\r\nabcX\r\n0\r\n\r\n"), [/^ended$|^400/, NO_HTTP[1]]],
  "chunks beyond the limit": [
    chunked(`${(LIMIT + 1).toString(16)}\r\n${"x".repeat(LIMIT + 1)}\r\n0\r\n\r\n`),
    "413 PAYLOAD_TOO_LARGE",
  ],
  "a body of the limit, less one": [post(padded(LIMIT - 1)), "200"],
  "a body of the limit": [post(padded(LIMIT)), "200"],
  "a body of the limit, and one": [post(padded(LIMIT + 1)), "413 PAYLOAD_TOO_LARGE"],
  "deep JSON": [post(`{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}`), BAD_BODY],
  "deep JSON without an end": [post("[".repeat(60_000)), BAD_BODY],
  "a prototype": [post('{"__proto__":{"instance_id":"a","reason":"NETWORK"}}'), BAD_BODY],
  "a prototype besides": [post(GOOD.replace("}", ',"__proto__":{"reason":"LOGOUT"}}')), "200"],
  "bytes that are no UTF-8": [post(withByte(0xff)), BAD_BODY],
  "half a character": [post(withByte(0xc3)), BAD_BODY],
  "UTF-16": [
    post(new Uint8Array(new Uint16Array([...GOOD].map((each) => each.charCodeAt(0))).buffer)),
    BAD_BODY,
  ],
  "a byte order mark": [post(`\ufeff${GOOD}`), "200"],
  "two byte order marks": [post(`\ufeff\ufeff${GOOD}`), BAD_BODY],
  "NUL": [post(withByte(0)), BAD_BODY],
  "an escaped NUL": [post(GOOD.replace("a", "a\\u0000")), BAD_BODY],
  "a lone surrogate": [post(GOOD.replace('"a"', '"\\ud800"')), BAD_BODY],
  "a number beyond numbers": [post(GOOD.replace('"a"', "1e999")), BAD_BODY],
  "NaN": [post("NaN"), BAD_BODY],
  "a comment": [post(GOOD.replace("{", "{/**/")), BAD_BODY],
};

/** Status and code of an answer. */
function outcome(answer: string): string {
  if (answer === "") return ENDED;
  const [start = "", ...rest] = answer.split("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(start)?.[1] ?? start.slice(0, 40);
  const body = rest.join("\r\n\r\n");
  if (status === "200" || body === "") return status;
  return `${status} ${ErrorAnswer.parse(JSON.parse(body)).error.code}`;
}

/** The front door over use cases that all succeed. */
function frontDoor(onAnswer: (status: number) => void, onFailure: (line: unknown) => void) {
  const nobody = () => Promise.reject(new Error("Nobody asks."));
  return createApp({
    sessions: {
      read: () => Promise.resolve(VIEW),
      requestQr: () => Promise.resolve(QR),
      reportConnected: () => Promise.resolve(VIEW),
      reportDisconnected: () => Promise.resolve(VIEW),
    },
    operations: { readiness: nobody, metrics: nobody },
    hubKeys: [KEY],
    internalKeys: [KEY],
    rateLimits: { key: 0, read: 0, qr: 0 },
    log: { debug: () => {}, info: () => {}, error: onFailure },
    meter: { observe: ({ status }) => onAnswer(status) },
  });
}

for (const [index, host] of ["127.0.0.1", "0.0.0.0"].entries()) {
  Deno.test(`a body that breaks off is the caller's fault, by the server on ${host}`, async () => {
    const failures: unknown[] = [];
    const answered = Promise.withResolvers<number>();
    const { fetch } = frontDoor(answered.resolve, (line) => void failures.push(line));
    const listener = await listen({ host, port: 0 }, fetch);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    await connection.write(post(GOOD).subarray(0, -5));
    connection.close();
    assert.equal(await answered.promise, 400);
    assert.deepEqual(failures, []);
    await listener.shutdown();
  });

  Deno.test(`odd requests get a clear answer from the server on ${host}`, async () => {
    const failures: unknown[] = [];
    const answered: number[] = [];
    const app = frontDoor((status) => void answered.push(status), (line) => void failures.push(line));
    const listener = await listen({ host, port: 0 }, app.fetch);
    const wrong: string[] = [];
    for (const [name, [request, expected]] of Object.entries(REQUESTS)) {
      const seen = outcome(await raw(listener.port, request));
      const wanted = expected instanceof RegExp || typeof expected === "string" ? expected : expected[index]!;
      if (typeof wanted === "string" ? seen !== wanted : !wanted.test(seen)) {
        wrong.push(`${name}: ${seen}, not ${wanted}`);
      }
    }
    await listener.shutdown();
    assert.deepEqual(wrong, []);
    assert.deepEqual(failures, []);
    assert.ok(answered.every((status) => status < 500));
  });
}
