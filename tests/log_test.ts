import assert from "node:assert/strict";
import { createLog } from "../log.ts";
import { redact } from "../observe/redact.ts";

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
