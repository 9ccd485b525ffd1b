import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Curve } from "@whiskeysockets/baileys";
import fc from "fast-check";
import { PNG } from "pngjs";
import QRCode from "qrcode";
import { EventHub } from "./events.ts";
import { FaultBook, type FaultRule } from "./faults.ts";
import { frame, FrameReader, HeaderError } from "./frames.ts";
import { generateAgreementKey, sharedSecret, SigningKey, verifySignature } from "./keys.ts";
import { LightKeys } from "./light_client.ts";
import { parsePairingText, readQrImage } from "./qr.ts";
import { RefBook } from "./refs.ts";
import { NOTHING_LEFT } from "./sanitizers.ts";

const HEADER = Buffer.from([0x57, 0x41, 6, 3]);

Deno.test("FrameReader.push() returns the same frames when a stream is cut anywhere", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 });
  fc.assert(
    fc.property(payloads, fc.option(fc.uint8Array({ maxLength: 40 })), fc.nat(60), (frames, routing, cut) => {
      const opening = routing ? [Buffer.from("ED\0\x01", "latin1"), frame(routing), HEADER] : [HEADER];
      const stream = Buffer.concat([...opening, ...frames.map(frame)]);
      const reader = new FrameReader();
      const seen: Buffer[] = [];
      for (let start = 0; start < stream.length; start += cut + 1) {
        seen.push(...reader.push(stream.subarray(start, start + cut + 1)));
      }
      deepEqual(seen.map((payload) => [...payload]), frames.map((payload) => [...payload]));
      deepEqual(reader.routingInfo && [...reader.routingInfo], routing && [...routing]);
      deepEqual(Buffer.from(reader.header!), HEADER);
    }),
  );
});

Deno.test("FrameReader.push() throws when the stream is not WhatsApp's", () => {
  throws(() => new FrameReader().push(Buffer.from("GET / HTTP/1.1")), HeaderError);
});

Deno.test("verifySignature() accepts what Baileys signed and nothing else", () => {
  const pair = Curve.generateKeyPair();
  const message = Buffer.from("details");
  const signature = Curve.sign(pair.private, message);
  equal(verifySignature(pair.public, message, signature), true);
  equal(verifySignature(pair.public, Buffer.from("detailz"), signature), false);
  equal(verifySignature(Curve.generateKeyPair().public, message, signature), false);
  equal(verifySignature(pair.public, message, signature.subarray(1)), false);
});

Deno.test("SigningKey.sign() makes signatures that verify with its published key", () => {
  for (let round = 0; round < 8; round++) { // both signs of the hidden coordinate
    const key = new SigningKey();
    equal(verifySignature(key.publicKey, HEADER, key.sign(HEADER)), true);
  }
});

Deno.test("sharedSecret() agrees with Baileys' when keys are exchanged", () => {
  const own = generateAgreementKey();
  const peer = Curve.generateKeyPair();
  deepEqual(Buffer.from(sharedSecret(own, peer.public)), Curve.sharedKey(peer.private, own.publicKey));
});

Deno.test("readQrImage() returns the exact text when the PNG was drawn by qrcode", async () => {
  const text = new LightKeys().pairingText("2@abc/def+ghi==");
  equal(readQrImage(await QRCode.toDataURL(text)), text);
  equal(parsePairingText(text).ref, "2@abc/def+ghi==");
});

Deno.test("readQrImage() throws a sentence when there is no QR to read", () => {
  const blank = PNG.sync.write(
    Object.assign(new PNG({ width: 60, height: 60 }), { data: Buffer.alloc(14400, 255) }),
  );
  throws(() => readQrImage(`data:image/png;base64,${blank.toString("base64")}`), /holds no QR/);
  throws(() => readQrImage("data:image/png;base64,AAAA"), /no readable PNG/);
  throws(() => readQrImage("https://wa.me/"), /data URL/);
});

Deno.test("parsePairingText() throws when a part is missing or short", () => {
  throws(() => parsePairingText("hello"), /no pairing QR/);
  throws(() => parsePairingText("https://wa.me/settings/linked_devices#a,b"), /5 parts/);
  throws(() => parsePairingText("https://wa.me/settings/linked_devices#a,b,c,d,1"), /noise key/);
});

Deno.test("RefBook.look() tells live, expired, used and unknown refs apart", () => {
  let now = 0;
  const book = new RefBook<string>({ firstMs: 60_000, nextMs: 20_000 }, () => now);
  const refs = book.issue("socket");
  equal(refs.length, 6);
  equal(book.look(refs[0]!).state, "live");
  now = 60_000;
  equal(book.look(refs[0]!).state, "expired");
  equal(book.look(refs[1]!).state, "live");
  now = 80_000;
  equal(book.look(refs[1]!).state, "expired");
  now = 159_999;
  deepEqual(book.look(refs[5]!), { state: "live", holder: "socket" });
  book.retire(refs, "already_used");
  equal(book.look(refs[5]!).state, "already_used");
  equal(book.look("2@never").state, "unknown_ref");
});

Deno.test("FaultBook.strike() strikes only whom a rule is aimed at, and no more often than it says", () => {
  const book = new FaultBook();
  const rule = book.add({ do: "failure", code: 403, kind: "login", phone: "+5491155550001", times: 2 });
  const subject = { phone: "+5491155550001", device: null, kind: "login" } as const;
  equal(book.strike(["failure"], { ...subject, kind: "pairing" }), null);
  equal(book.strike(["failure"], { ...subject, phone: "+1" }), null);
  equal(book.strike(["downgrade"], subject), null);
  equal(book.strike(["failure"], subject)?.code, 403);
  equal(book.strike(["failure"], subject)?.code, 403);
  equal(book.strike(["failure"], subject), null);
  equal(rule.used, 2);
});

Deno.test("FaultBook.strike() follows the given randomness when a rule has a probability", () => {
  const draws = [0.2, 0.3, 0.1];
  const book = new FaultBook();
  const rule = book.add({ do: "refuse", probability: 0.25, random: () => draws.shift()! });
  const subject = { phone: null, device: null, kind: null };
  deepEqual([1, 2, 3].map(() => book.strike(["refuse"], subject) !== null), [true, false, true]);
  rule.remove();
  equal(book.strike(["refuse"], subject), null);
});

Deno.test("FaultBook.add() throws when a rule makes no sense", () => {
  const book = new FaultBook();
  throws(() => book.add({ do: "nonsense" } as unknown as FaultRule), /no fault 'nonsense'/);
  throws(() => book.add({ do: "refuse", phone: "+5491155550001" }), /before the client said/);
  throws(() => book.add({ do: "failure" } as unknown as FaultRule), /code is missing/);
  throws(() => book.add({ do: "delay", stage: "lunch", ms: 1 } as unknown as FaultRule), /stage is one of/);
  throws(() => book.add({ do: "drop", how: "gently" } as unknown as FaultRule), /how is/);
  throws(() => book.add({ do: "downgrade", probability: 2 }), /probability/);
  throws(() => book.add({ do: "downgrade", times: 0 }), /times/);
});

Deno.test("EventHub.when() resolves with the nth match, and rejects when time is up or the hub stops", {
  ...NOTHING_LEFT,
}, async () => {
  const hub = new EventHub();
  const event = (phone: string) => ({ kind: "login", at: 0, connection: 1, phone, device: null } as const);
  const second = hub.when("login", { phone: "+2", nth: 2 });
  for (const phone of ["+2", "+1"]) hub.emit(event(phone));
  hub.emit({ ...event("+2"), at: 7 });
  equal((await second).at, 7);
  await rejects(hub.when("login", { timeoutMs: 1 }), /no 'login' event within 1 ms/);
  const orphan = hub.when("closed");
  hub.stop();
  await rejects(orphan, (error: Error) => (match(error.message, /stopped/), true));
});
