/**
 * Signatures at native speed. Baileys signs and verifies with a curve in plain JavaScript: 17 to 21 ms of the
 * worker's time each, several times in every login and pairing, two thirds of all that a login costs. The very
 * same signatures (XEdDSA) come from the compiled library that Baileys brings along for its hashes, in 0.3 ms.
 *
 * It is right besides: Baileys takes a signature that does not verify for one that does, because the library
 * below it answers false where it is expected to throw, so that WhatsApp's certificates go unchecked.
 * @module
 */
import { Buffer } from "node:buffer";
import { calculateSignature, verifySignature } from "whatsapp-rust-bridge";
import { Curve } from "./baileys.ts";

/** Puts the compiled signatures in the place of Baileys' own, for this worker. */
export function signNatively(): void {
  Object.assign(Curve, {
    sign: (privateKey: Uint8Array, message: Uint8Array) =>
      Buffer.from(calculateSignature(privateKey, message)),
    verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => {
      try {
        return verifySignature(publicKey, message, signature);
      } catch {
        return false;
      }
    },
  });
}
