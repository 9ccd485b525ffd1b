import assert from "node:assert/strict";
import { createLog } from "../log.ts";
import { describeError, redact } from "../runtime/redact.ts";

const QR = `data:image/png;base64,${"iVBORw0KGgo".repeat(20)}`;
const KEY = btoa("k".repeat(32));

/** What a log writes for these calls. */
function lines(write: (log: ReturnType<typeof createLog>) => void): string {
  let text = "";
  write(createLog("debug", (line) => text += line));
  return text;
}

Deno.test("createLog() writes one JSON line an event, with level and time", () => {
  const text = lines((log) => log.info({ event: "listening", port: 8080 }));
  assert.ok(text.endsWith("\n"));
  const { level, time, event, port } = JSON.parse(text);
  assert.deepEqual({ level, event, port }, { level: "info", event: "listening", port: 8080 });
  assert.match(time, /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/);
});

Deno.test("createLog() strikes out planted keys, QRs and credentials, wherever they are", () => {
  const error = Object.assign(new Error(`Data too long: '${QR}' near ${KEY}`, { cause: new Error(KEY) }), {
    sql: `INSERT INTO t VALUES ('${QR}')`,
    code: "ER_DATA_TOO_LONG",
  });
  const text = lines((log) => {
    log.error({ event: "store_unavailable", err: error });
    log.info({ event: "x", qr_string: QR, credentials: KEY, keys: [KEY], authorization: `Bearer ${KEY}` });
    log.info({ event: "x", session: { qr_string: QR, credentials: KEY } });
  });
  for (const secret of [QR, KEY, "iVBORw0KGgo", "INSERT"]) assert.ok(!text.includes(secret), text);
  assert.ok(text.includes("ER_DATA_TOO_LONG"));
});

Deno.test("redact() leaves plain words alone", () => {
  const words = "connect ECONNREFUSED 127.0.0.1:3306 while saving sender_51";
  assert.equal(redact(words), words);
});

Deno.test("redact() strikes out a secret that the cut would leave the beginning of", () => {
  const text = redact(`${"word ".repeat(399)}abcd${KEY}`);
  assert.ok(!text.includes("abcd"), text);
  assert.ok(text.length <= 301, text);
});

Deno.test("createLog() lets no field take the place of its own", () => {
  const forged: Record<string, unknown> = JSON.parse(
    '{"level":"error","time":"never","msg":"forged","__proto__":{"event":"forged"},"origin":"network"}',
  );
  const text = lines((log) => log.info({ event: "socket_closed", ...forged }));
  for (const name of ["level", "time", "msg"]) assert.ok((text.split(`"${name}":`).length) <= 2, text);
  const { level, time, event, origin, msg } = JSON.parse(text);
  assert.deepEqual({ level, event, origin, msg }, {
    level: "info",
    event: "socket_closed",
    origin: "network",
    msg: undefined,
  });
  assert.match(time, /^\d{4}-/);
});

Deno.test("createLog() writes one line of printable characters, whatever a field holds", () => {
  const hostile = 'a\n{"event":"forged"}\r\u0085\u2028\u2029\u001b[2J\u009b2J\u202e"\\\ud800';
  const text = lines((log) => {
    log.info({ event: "request", instance_id: hostile });
    log.warn({ event: "worker_fault", name: hostile + "x".repeat(200) });
    log.error({ event: "request_failed", [hostile]: 1, err: new Error(hostile) });
  });
  assert.equal(text.split("\n").length, 4);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
  const [request] = text.split("\n").map((line) => line && JSON.parse(line));
  assert.equal(request.instance_id, hostile);
});

Deno.test("createLog() cuts whatever a caller, a worker or a library makes long", () => {
  const long = "word ".repeat(100_000);
  const circle: Record<string, unknown> = {};
  circle.circle = circle;
  const big = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field${i}`, i]));
  const error = new Error(long, { cause: new Error(long) });
  error.name = long;
  const text = lines((log) => {
    log.info({ event: "a", name: long, [long]: 1 });
    log.info({ event: "b", ...big });
    log.info({ event: "c", big, list: Array(10_000).fill(long), circle });
    log.info({ event: "d", err: error });
    log.info({ event: "e", err: long });
    log.info({ event: "f", amount: 2n ** 64n, call: () => {}, when: new Date(0) });
  });
  const written = text.trimEnd().split("\n").map((line) => ({ length: line.length, ...JSON.parse(line) }));
  assert.deepEqual(written.map(({ event }) => event), ["a", "b", "c", "d", "e", "f"]);
  for (const { event, length } of written) assert.ok(length < 6_000, `${event}: ${length}`);
  assert.equal(written[5].amount, String(2n ** 64n));
  assert.equal(written[5].when, "1970-01-01T00:00:00.000Z");
});

Deno.test("createLog() does not throw for what throws when it is looked at", () => {
  const trap = {
    get secret() {
      throw new Error(KEY);
    },
  };
  const bad = new Proxy(new Error("x"), {
    get() {
      throw new Error(KEY);
    },
  });
  const text = lines((log) => {
    log.info({ event: "a", trap });
    log.info({ event: "b", err: bad });
  });
  assert.equal(text.match(/unloggable/g)?.length, 2);
  assert.ok(!text.includes(KEY));
});

Deno.test("describeError() tells no text of an error as its name, its code or where it was thrown", () => {
  const text = new Error(`statement\n    at ${KEY} (${QR})`);
  const late = new Error(`    at ${KEY}`);
  late.message = "changed since";
  const named = Object.assign(new Error("x"), { code: `E_${KEY}` });
  named.name = `Error ${KEY}`;
  const notText = Object.assign(new Error("x"), { message: { KEY } });
  for (const error of [text, late, named, notText]) {
    assert.ok(!JSON.stringify(describeError(error)).includes(KEY), JSON.stringify(describeError(error)));
  }
  assert.match(describeError(text).stack ?? "", /^ {4}at .*log_test/);
  assert.match(describeError(new Error("")).stack ?? "", /^ {4}at .*log_test/);
  assert.equal(
    describeError(Object.assign(new Error("x"), { code: "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD" })).code,
    "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD",
  );
});
