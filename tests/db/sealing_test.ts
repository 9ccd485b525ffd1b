import assert from "node:assert/strict";
import fc from "fast-check";
import { CredentialsUnreadableError } from "../../sessions/ports/store.ts";
import {
  CredentialKeys,
  generateCredentialKey,
  parseCredentialKeys,
  seal,
  unseal,
} from "../../db/sealing.ts";
import { key, KEYS, record } from "../../lab/databases/helpers.ts";

const PLACE = { instanceId: "sender_51", kind: "session", name: "5491@s.whatsapp.net" };
const texts = fc.string({ unit: "binary", maxLength: 200 });
const places = record({ instanceId: fc.string(), kind: fc.string(), name: fc.string({ unit: "grapheme" }) });

Deno.test("unseal() gives what seal() was given, for any text and place", () => {
  fc.assert(fc.property(places, texts, (place, text) => {
    assert.equal(unseal(KEYS, place, seal(KEYS, place, text)), text);
  }));
});

Deno.test("unseal() refuses when any byte is flipped, added or missing", () => {
  const envelope = seal(KEYS, PLACE, "a login");
  for (let at = 0; at < envelope.length; at++) {
    for (const bit of [1, 128]) {
      const tampered = new Uint8Array(envelope);
      tampered[at]! ^= bit;
      assert.throws(() => unseal(KEYS, PLACE, tampered), CredentialsUnreadableError, `byte ${at}`);
    }
    assert.throws(() => unseal(KEYS, PLACE, envelope.subarray(0, at)), CredentialsUnreadableError);
  }
  assert.throws(() => unseal(KEYS, PLACE, new Uint8Array([...envelope, 0])), CredentialsUnreadableError);
});

Deno.test("unseal() refuses when the place is another, however alike the two are", () => {
  fc.assert(fc.property(places, places, (place, other) => {
    fc.pre(JSON.stringify(place) !== JSON.stringify(other));
    assert.throws(() => unseal(KEYS, other, seal(KEYS, place, "x")), CredentialsUnreadableError);
  }));
  const shifted = [["ab", "c", "d"], ["a", "bc", "d"], ["a", "b", "cd"], ["", "abc", "d"], ["abcd", "", ""]];
  const asPlace = ([instanceId, kind, name]: string[]) => ({
    instanceId: instanceId!,
    kind: kind!,
    name: name!,
  });
  for (const from of shifted) {
    for (const to of shifted) {
      if (from === to) continue;
      const envelope = seal(KEYS, asPlace(from), "x");
      assert.throws(() => unseal(KEYS, asPlace(to), envelope), CredentialsUnreadableError);
    }
  }
});

Deno.test("seal() gives another envelope when the same text is sealed twice", () => {
  assert.notDeepEqual(seal(KEYS, PLACE, "x"), seal(KEYS, PLACE, "x"));
});

Deno.test("seal() refuses a text that would not come back as it went in", () => {
  assert.throws(() => seal(KEYS, PLACE, "\ud800"), RangeError);
});

Deno.test("unseal() opens with the older key and seal() uses the newer when both are configured", () => {
  const both = new CredentialKeys([key(2), key(1)]);
  assert.equal(unseal(both, PLACE, seal(KEYS, PLACE, "old")), "old");
  const envelope = seal(both, PLACE, "new");
  assert.equal(unseal(new CredentialKeys([key(2)]), PLACE, envelope), "new");
  assert.throws(() => unseal(KEYS, PLACE, envelope), CredentialsUnreadableError);
});

Deno.test("parseCredentialKeys() takes one key, or several with spaces around them", () => {
  const [a, b] = [generateCredentialKey(), generateCredentialKey()];
  const sealedWithA = seal(parseCredentialKeys(a), PLACE, "x");
  assert.equal(unseal(parseCredentialKeys(`${b}, ${a} `), PLACE, sealedWithA), "x");
  assert.notEqual(parseCredentialKeys(`${b},${a}`).newestId, parseCredentialKeys(a).newestId);
});

Deno.test("parseCredentialKeys() refuses without repeating the text when it is no key", () => {
  const good = generateCredentialKey();
  const short = btoa("a".repeat(31));
  for (const bad of ["", ",", short, `${good},`, `${good},${short}`, good.slice(1), `${good}=`, `!${good}`]) {
    assert.throws(() => parseCredentialKeys(bad), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, /CREDENTIALS_KEY/);
      assert.ok(!error.message.includes(short) && !error.message.includes(good.slice(1)));
      return true;
    });
  }
});

Deno.test("CredentialKeys shows no key when it is printed or serialised", () => {
  const text = btoa("k".repeat(32));
  const keys = parseCredentialKeys(text);
  const shown = Deno.inspect(keys, { depth: 9, showHidden: true }) + JSON.stringify(keys);
  assert.ok(!shown.includes(text) && !shown.includes("6b 6b") && !shown.includes("107"));
});
