import assert from "node:assert/strict";
import fc from "fast-check";
import { LOGIN_KIND } from "../../db/schema.ts";
import { Conduct } from "../../whatsapp/conduct.ts";
import { checkReport } from "../../whatsapp/reports.ts";
import { isKeyId, isKeyType } from "../../whatsapp/worker/limits.ts";
import { anyMessage, GOOD, hostileValues, wrongMessages } from "./messages.ts";

Deno.test("checkReport() takes a good message of each kind, and leaves out what does not belong to it", () => {
  for (const [type, good] of Object.entries(GOOD)) {
    assert.deepEqual(checkReport({ ...good, extra: 1 }), { ok: true, report: good }, type);
  }
  const { credentials: _, ...keysAlone } = GOOD.save!;
  assert.deepEqual(checkReport(keysAlone), { ok: true, report: keysAlone });
});

Deno.test("checkReport() refuses every kind of message with every value that is wrong in any field", () => {
  // The socket of another worker is well-formed; who it belongs to is not in the message.
  const believable = /^\w+\.(socket: 5|heard: 5)$/;
  for (const { what, message } of wrongMessages()) {
    assert.equal(checkReport(message).ok, believable.test(what), what);
  }
  for (const [what, value] of Object.entries(hostileValues())) {
    assert.equal(checkReport(value).ok, false, what);
  }
});

Deno.test("checkReport() names the field that is wrong, and quotes nothing", () => {
  const secret = "secret".repeat(100);
  assert.deepEqual(checkReport({ ...GOOD.connected, jid: secret }), { ok: false, flaw: "connected: jid" });
  assert.deepEqual(checkReport({ type: secret, [secret]: 1 }), { ok: false, flaw: "unknown: type" });
  assert.deepEqual(checkReport(null), { ok: false, flaw: "unknown: message" });
});

Deno.test("checkReport() never throws, whatever it is given", () => {
  fc.assert(fc.property(anyMessage, (message) => void checkReport(message)), { numRuns: 2_000 });
});

Deno.test("checkReport() takes what the store takes as the name of a key, and nothing else", () => {
  assert.equal(isKeyType(LOGIN_KIND), false);
  const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0x20, max: 0x7e }));
  const text = fc.array(unit, { maxLength: 300 }).map((units) => String.fromCharCode(...units));
  fc.assert(fc.property(text, (id) => {
    const bytes = new TextEncoder().encode(id).length;
    assert.equal(isKeyId(id), id.isWellFormed() && bytes <= 255);
  }));
});

Deno.test("Conduct lets nothing follow that cannot, and everything that a socket was about to say when it was closed", () => {
  const kinds = ["pair", "login", "unlink"] as const;
  const types = [
    "qr",
    "paired",
    "passkey_demanded",
    "identified",
    "connected",
    "closed",
    "gone",
    "load",
    "save",
  ] as const;
  const step = fc.oneof(fc.constantFrom(...types), fc.constantFrom("kept", "told"));
  fc.assert(fc.property(fc.constantFrom(...kinds), fc.array(step, { maxLength: 30 }), (kind, steps) => {
    const conduct = new Conduct(kind);
    const said: string[] = [];
    let isTold = false;
    let qrs = 0;
    for (const what of steps) {
      if (what === "told") {
        isTold = true;
        conduct.told();
      } else if (what === "kept") {
        conduct.kept();
        if (!isTold && said.includes("paired")) said.push("kept");
      } else {
        const report = { ...GOOD[what], ordinal: qrs++ } as unknown as Parameters<Conduct["permits"]>[0];
        const isOk = conduct.permits(report);
        assert.equal(isOk, isTold ? !said.includes("gone") : fits(kind, said, what), `${said} then ${what}`);
        if (!isOk) return; // nothing that such a worker says is heard
        said.push(what);
      }
    }
  }));
});

/** The same in other words: what may come after what, for a socket that was not told to close. */
function fits(kind: string, said: readonly string[], what: string): boolean {
  const has = (name: string) => said.includes(name);
  if (has("gone")) return false;
  if (what === "gone") return has("closed");
  if (has("closed")) return what === "load" || what === "save"; // they are refused
  switch (what) {
    case "closed":
      return true;
    case "qr":
    case "paired":
    case "passkey_demanded":
      return kind === "pair" && !has("paired");
    case "identified":
      return kind !== "pair" && !has("identified") && !has("connected");
    case "connected":
      return kind === "login" && has("identified") && !has("connected");
    default:
      return kind === "login" || (kind === "pair" && has("kept"));
  }
}
