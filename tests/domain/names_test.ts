import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DISCONNECT_REASONS,
  FAULT_CODES,
  INSTANCE_ID,
  PHONE_NUMBER,
  QR_STATUSES,
  SESSION_STATUSES,
} from "@session-manager/contract";
import { phoneNumberOf } from "../../domain/phone.ts";

Deno.test("SESSION_STATUSES, QR_STATUSES, DISCONNECT_REASONS and FAULT_CODES are the frozen names", () => {
  assert.deepEqual(SESSION_STATUSES, [
    "init",
    "qr_required",
    "connecting",
    "connected",
    "disconnected",
    "error",
  ]);
  assert.deepEqual(QR_STATUSES, ["none", "generated", "expired", "used"]);
  assert.deepEqual(DISCONNECT_REASONS, ["LOGOUT", "NETWORK", "TIMEOUT", "UNKNOWN"]);
  assert.deepEqual(FAULT_CODES, [
    "LOGGED_IN_ELSEWHERE",
    "ACCOUNT_FORBIDDEN",
    "CLIENT_OUTDATED",
    "MULTIDEVICE_MISMATCH",
    "PASSKEY_REQUIRED",
    "CREDENTIALS_UNREADABLE",
  ]);
});

const GOOD_IDS = ["sender_51", "a", "7", "A.b:c-d_9", "0".repeat(64), "a...", "Z-"];
const BAD_IDS = [
  "",
  "0".repeat(65),
  "_a",
  ".a",
  ":a",
  "-a",
  "a b",
  " a",
  "a ",
  "a\n",
  "\na",
  "a\u0000",
  "a/b",
  "../a",
  "a%20",
  "ñ",
  "añ",
  "а", // Cyrillic
  "a\u0301",
  "a🙂",
  "a@b",
  "a'--",
];

for (const id of GOOD_IDS) {
  Deno.test(`INSTANCE_ID accepts an id when it is ${JSON.stringify(id)}`, () =>
    assert.match(id, INSTANCE_ID));
}
for (const id of BAD_IDS) {
  Deno.test(`INSTANCE_ID refuses an id when it is ${JSON.stringify(id)}`, () =>
    assert.doesNotMatch(id, INSTANCE_ID));
}

const GOOD_NUMBERS = ["+1234567", "+5491155550001", "+123456789012345"];
const BAD_NUMBERS = [
  "",
  "+",
  "+123456",
  "+1234567890123456",
  "+0234567",
  "1234567",
  "++1234567",
  "+1234567\n",
  " +1234567",
  "+12 34567",
  "+54911XXXXXXX",
  "+١٢٣٤٥٦٧", // digits, but not ours
  "+1234567e0",
];

for (const number of GOOD_NUMBERS) {
  Deno.test(`PHONE_NUMBER accepts a number when it is ${JSON.stringify(number)}`, () =>
    assert.match(number, PHONE_NUMBER));
}
for (const number of BAD_NUMBERS) {
  Deno.test(`PHONE_NUMBER refuses a number when it is ${JSON.stringify(number)}`, () =>
    assert.doesNotMatch(number, PHONE_NUMBER));
}

for (
  const [name, pattern, value] of [
    ["INSTANCE_ID", INSTANCE_ID, "sender_51"],
    ["PHONE_NUMBER", PHONE_NUMBER, "+1234567"],
  ] as const
) {
  Deno.test(`${name} gives the same answer when it is asked twice`, () => {
    // A pattern with a `g` or `y` flag would remember where it stopped.
    assert.deepEqual([pattern.test(value), pattern.test(value)], [true, true]);
  });
}

Deno.test("INSTANCE_ID agrees with the rule spelled out letter by letter, whatever the text", () => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 70 }),
    fc.string({ unit: fc.constantFrom(...letters, ..."_.:-"), maxLength: 70 }),
  );
  fc.assert(fc.property(texts, (text) => {
    const [first = "", ...rest] = text;
    const allowed = letters.includes(first) && rest.every((letter) => `${letters}_.:-`.includes(letter));
    assert.equal(INSTANCE_ID.test(text), text.length >= 1 && text.length <= 64 && allowed);
  }));
});

const JIDS: readonly (readonly [string, string | null])[] = [
  ["5491155550001:12@s.whatsapp.net", "+5491155550001"],
  ["5491155550001@s.whatsapp.net", "+5491155550001"],
  ["1234567:0@s.whatsapp.net", "+1234567"],
  ["123456789012345@s.whatsapp.net", "+123456789012345"],
  ["123456@s.whatsapp.net", null],
  ["1234567890123456@s.whatsapp.net", null],
  ["0123456789@s.whatsapp.net", null],
  ["5491155550001:12@lid", null],
  ["5491155550001@c.us", null],
  ["5491155550001@g.us", null],
  ["5491155550001:@s.whatsapp.net", null],
  ["5491155550001:12@s.whatsapp.net.example", null],
  ["5491155550001:12@sxwhatsapp.net", null],
  ["+5491155550001@s.whatsapp.net", null],
  ["status@broadcast", null],
  ["5491155550001", null],
  ["", null],
];

for (const [jid, number] of JIDS) {
  Deno.test(`phoneNumberOf() is ${number} when the JID is ${JSON.stringify(jid)}`, () => {
    assert.equal(phoneNumberOf(jid), number);
  });
}

Deno.test("phoneNumberOf() gives back every E.164 number that is put into a JID, and nothing else", () => {
  const numbers = fc.stringMatching(/^[1-9][0-9]{6,14}$/);
  fc.assert(fc.property(numbers, fc.nat(), (digits, device) => {
    assert.equal(phoneNumberOf(`${digits}:${device}@s.whatsapp.net`), `+${digits}`);
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const number = phoneNumberOf(text);
    if (number !== null) assert.match(number, PHONE_NUMBER);
  }));
});
