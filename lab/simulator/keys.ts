import { Buffer } from "node:buffer";
import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign as nativeSign,
  verify as nativeVerify,
} from "node:crypto";

// Raw 32-byte keys become KeyObjects through the fixed ASN.1 prefix of a SubjectPublicKeyInfo.
const X25519_SPKI = Buffer.from("302a300506032b656e032100", "hex");
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const FIELD_PRIME = 2n ** 255n - 19n;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** An X25519 pair whose private half stays inside the runtime's native crypto. */
export interface AgreementKey {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** Makes a fresh X25519 pair. */
export function generateAgreementKey(): AgreementKey {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  return { privateKey, publicKey: rawPublicKey(publicKey, X25519_SPKI) };
}

/**
 * The 32-byte X25519 secret that both sides share.
 * @throws when `peer` is no valid public key
 */
export function sharedSecret(own: AgreementKey, peer: Uint8Array): Uint8Array {
  return diffieHellman({ privateKey: own.privateKey, publicKey: importPublicKey(peer, X25519_SPKI) });
}

/**
 * A signer of the kind Signal uses: the public key is a Curve25519 (Montgomery) key, the signature an Ed25519
 * one that carries in its last bit the sign of the matching Edwards key. Starting from a native Ed25519 pair and
 * publishing the Montgomery form of its public half gives such signatures at native speed.
 */
export class SigningKey {
  readonly #privateKey: KeyObject;
  readonly #signBit: number;
  /** The Montgomery form, 32 bytes. */
  readonly publicKey: Uint8Array;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const edwards = rawPublicKey(publicKey, ED25519_SPKI);
    this.#privateKey = privateKey;
    this.#signBit = edwards[KEY_BYTES - 1]! & 0x80;
    this.publicKey = edwardsToMontgomery(edwards);
  }

  /** A 64-byte signature of the message. */
  sign(message: Uint8Array): Uint8Array {
    const signature = new Uint8Array(nativeSign(null, message, this.#privateKey));
    signature[SIGNATURE_BYTES - 1]! |= this.#signBit;
    return signature;
  }
}

/**
 * Whether `signature` over `message` was made with the private half of the Montgomery key `publicKey`.
 * Baileys' own `Curve.verify` cannot be asked: it accepts every well-formed signature.
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.byteLength !== KEY_BYTES || signature.byteLength !== SIGNATURE_BYTES) return false;
  const edwards = montgomeryToEdwards(publicKey, signature[SIGNATURE_BYTES - 1]! & 0x80);
  const bare = Uint8Array.from(signature);
  bare[SIGNATURE_BYTES - 1]! &= 0x7f;
  try {
    return nativeVerify(null, message, importPublicKey(edwards, ED25519_SPKI), bare);
  } catch {
    return false; // not a point of the curve
  }
}

function importPublicKey(raw: Uint8Array, prefix: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "spki" });
}

function rawPublicKey(key: KeyObject, prefix: Buffer): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(prefix.length));
}

function edwardsToMontgomery(edwards: Uint8Array): Uint8Array {
  const y = littleEndianToInt(edwards);
  return intToLittleEndian(modulo((1n + y) * inverse(modulo(1n - y))));
}

function montgomeryToEdwards(montgomery: Uint8Array, signBit: number): Uint8Array {
  const u = littleEndianToInt(montgomery);
  const edwards = intToLittleEndian(modulo((u - 1n) * inverse(modulo(u + 1n))));
  edwards[KEY_BYTES - 1]! |= signBit;
  return edwards;
}

function modulo(value: bigint): bigint {
  const rest = value % FIELD_PRIME;
  return rest < 0n ? rest + FIELD_PRIME : rest;
}

// Fermat: x^(p-2). Only public values pass here, so its varying time gives nothing away.
function inverse(value: bigint): bigint {
  let result = 1n;
  let base = value;
  for (let exponent = FIELD_PRIME - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = result * base % FIELD_PRIME;
    base = base * base % FIELD_PRIME;
  }
  return result;
}

// The top bit is the sign of x, not part of the coordinate.
function littleEndianToInt(bytes: Uint8Array): bigint {
  const bigEndian = Buffer.from(bytes).reverse();
  bigEndian[0]! &= 0x7f;
  return BigInt(`0x${bigEndian.toString("hex")}`);
}

function intToLittleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(KEY_BYTES * 2, "0"), "hex").reverse());
}
