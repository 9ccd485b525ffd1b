import assert from "node:assert/strict";
import fc from "fast-check";
import { LOGIN_KIND } from "../../db/schema.ts";
import { checkReport, kindOf } from "../../whatsapp/reports.ts";
import { isKeyId, isKeyType } from "../../whatsapp/worker/limits.ts";
import { anyMessage, GOOD, good, hostileValues, wrongMessages } from "./messages.ts";

Deno.test("checkReport() accepts a good message of each kind, without the fields that do not belong to it", () => {
  for (const [kind, message] of Object.entries(GOOD)) {
    assert.deepEqual(checkReport({ ...message, extra: 1 }), { ok: true, report: message }, kind);
    assert.equal(kindOf(message), kind);
  }
  const { credentials: _, ...keysAlone } = GOOD.save_keys.request as Record<string, unknown>;
  const report = { ...GOOD.save_keys, request: keysAlone };
  assert.deepEqual(checkReport({ ...report, request: { ...keysAlone, extra: 1 } }), { ok: true, report });
});

Deno.test("checkReport() rejects a message of any kind when any field of it is wrong", () => {
  // The socket of another worker is well-formed; who it belongs to is not in the message.
  const believable = /^\w+\.(socket: 5|answer\.heard: 5)$/;
  for (const { what, message } of wrongMessages()) {
    assert.equal(checkReport(message).ok, believable.test(what), what);
  }
  for (const [what, value] of Object.entries(hostileValues())) {
    assert.equal(checkReport(value).ok, false, what);
  }
});

Deno.test("checkReport() names the kind and the field, and quotes nothing, when a message is wrong", () => {
  const secret = "secret".repeat(100);
  const flaws: [message: unknown, flaw: string][] = [
    [good("connected", { jid: secret }), "connected: jid"],
    [good("closed", { cause: { origin: secret } }), "closed: cause"],
    [good("load_keys", { socket: secret }), "load_keys: socket"],
    [{ ...GOOD.qr, event: { type: secret } }, "event: type"],
    [{ ...GOOD.qr, event: secret }, "event: event"],
    [{ type: secret, [secret]: 1 }, "unknown: type"],
    [null, "unknown: message"],
  ];
  for (const [message, flaw] of flaws) assert.deepEqual(checkReport(message), { ok: false, flaw });
});

Deno.test("checkReport() never throws when it is given anything", () => {
  fc.assert(fc.property(anyMessage, (message) => void checkReport(message)), { numRuns: 2_000 });
});

Deno.test("isKeyId() and isKeyType() are true exactly when the store accepts the name", () => {
  assert.equal(isKeyType(LOGIN_KIND), false);
  const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0x20, max: 0x7e }));
  const text = fc.array(unit, { maxLength: 300 }).map((units) => String.fromCharCode(...units));
  fc.assert(fc.property(text, (id) => {
    const bytes = new TextEncoder().encode(id).length;
    assert.equal(isKeyId(id), id.isWellFormed() && bytes <= 255);
  }));
});
