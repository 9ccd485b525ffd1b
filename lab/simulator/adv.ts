import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { proto } from "@whiskeysockets/baileys";
import { type SigningKey, verifySignature } from "./keys.ts";

// What the signatures of a linked device begin with, so that one cannot pass for the other.
const ACCOUNT_SIGNATURE = Uint8Array.of(6, 0);
const DEVICE_SIGNATURE = Uint8Array.of(6, 1);

/** What the phone vouches for when it links a device. */
export interface DeviceIdentity {
  /** The encoded `ADVDeviceIdentity`. */
  readonly details: Uint8Array;
  readonly keyIndex: number;
}

/** Makes the identity of an account's nth device. @param timestamp seconds, UTC */
export function makeDeviceIdentity(rawId: number, keyIndex: number, timestamp: number): DeviceIdentity {
  return { keyIndex, details: proto.ADVDeviceIdentity.encode({ rawId, keyIndex, timestamp }).finish() };
}

/**
 * Signs the identity with the account key and authenticates the whole with the secret from the QR.
 * @returns the encoded `ADVSignedDeviceIdentityHMAC`
 */
export function sealDeviceIdentity(
  account: SigningKey,
  identity: DeviceIdentity,
  clientIdentityKey: Uint8Array,
  advSecret: Uint8Array,
): Uint8Array {
  const signed = proto.ADVSignedDeviceIdentity.encode({
    details: identity.details,
    accountSignatureKey: account.publicKey,
    accountSignature: account.sign(Buffer.concat([ACCOUNT_SIGNATURE, identity.details, clientIdentityKey])),
  }).finish();
  const hmac = createHmac("sha256", advSecret).update(signed).digest();
  return proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish();
}

/**
 * Whether the client signed the very identity that it was given, with the identity key from its QR.
 * @param answer the encoded `ADVSignedDeviceIdentity` that it sent back
 */
export function isSignedByDevice(
  answer: Uint8Array,
  identity: DeviceIdentity,
  clientIdentityKey: Uint8Array,
  accountKey: Uint8Array,
): boolean {
  const { details, deviceSignature } = proto.ADVSignedDeviceIdentity.decode(answer);
  if (!details || !deviceSignature || Buffer.compare(details, identity.details) !== 0) return false;
  const message = Buffer.concat([DEVICE_SIGNATURE, details, clientIdentityKey, accountKey]);
  return verifySignature(clientIdentityKey, message, deviceSignature);
}
