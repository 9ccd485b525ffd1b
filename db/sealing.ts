/**
 * Credentials are sealed before they reach the database, so that a copy of it links nobody's WhatsApp.
 *
 * AES-256-GCM. An envelope is `version (1 byte) · key id (8) · nonce (12) · ciphertext · tag (16)`.
 * The seal is bound to its place (instance, kind, name), so that a row moved elsewhere does not open.
 * Every instance has a key of its own, derived from the one configured: random nonces are safe for
 * some 2^32 seals a key, which one session never reaches and a busy service could.
 *
 * Source: decisions, "Configuration", `CREDENTIALS_KEY`.
 * @module
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { CredentialsUnreadableError } from "../sessions/ports/store.ts";

const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;
const SUBKEY_PURPOSE = "session-manager credentials v1";
/** How many derived keys are remembered; deriving one again costs microseconds. */
const SUBKEY_CACHE = 4_096;

/** Where a sealed text lies. A seal opens nowhere else. */
export interface SealPlace {
  readonly instanceId: string;
  readonly kind: string;
  readonly name: string;
}

/** The configured keys: one of them seals, by itself the newest; all of them open. Never prints what it holds. */
export class CredentialKeys {
  /** The ids of the keys, the newest first, in hexadecimal. No secrets. */
  readonly ids: readonly string[];
  readonly newestId: string;
  #sealingId: string;
  readonly #keys = new Map<string, Buffer>();
  readonly #subkeys = new Map<string, Buffer>();

  /** @param keys 32 bytes each, the newest first; {@link parseCredentialKeys} makes them from text */
  constructor(keys: readonly Uint8Array[]) {
    const [newest] = keys;
    if (newest === undefined || keys.some((key) => key.length !== KEY_BYTES)) {
      throw new RangeError("Credential keys are 32 bytes each, and there is at least one.");
    }
    for (const key of keys) this.#keys.set(keyId(key), Buffer.from(key));
    this.newestId = keyId(newest);
    this.ids = [...this.#keys.keys()];
    this.#sealingId = this.newestId;
  }

  /** The id of the key that seals. */
  get sealingId(): string {
    return this.#sealingId;
  }

  /**
   * Has another one of the keys seal from now on.
   * @throws {RangeError} when it is none of them
   */
  sealWith(id: string): void {
    if (!this.#keys.has(id)) throw new RangeError("Only a key that is configured can seal.");
    this.#sealingId = id;
  }

  /** The key with this id for this instance; undefined when the id is not among the configured ones. */
  subkey(id: string, instanceId: string): Buffer | undefined {
    const cacheKey = `${id}:${instanceId}`;
    const known = this.#subkeys.get(cacheKey);
    if (known !== undefined) return known;
    const key = this.#keys.get(id);
    if (key === undefined) return undefined;
    const derived = createHmac("sha256", key).update(lengthPrefixed([SUBKEY_PURPOSE, instanceId])).digest();
    if (this.#subkeys.size >= SUBKEY_CACHE) this.#subkeys.clear();
    this.#subkeys.set(cacheKey, derived);
    return derived;
  }
}

/**
 * The keys in `CREDENTIALS_KEY`: 32 bytes in base64, or several, `new,old`, while rotating.
 * @throws {RangeError} with a sentence that does not repeat the text
 */
export function parseCredentialKeys(text: string): CredentialKeys {
  return new CredentialKeys(
    text.split(",").map((part, index) => {
      const trimmed = part.trim();
      const key = Buffer.from(trimmed, "base64");
      if (key.length !== KEY_BYTES || key.toString("base64") !== trimmed) {
        throw new RangeError(
          `CREDENTIALS_KEY must be 32 bytes in base64, or several such keys as new,old; key ${
            index + 1
          } is not.`,
        );
      }
      return key;
    }),
  );
}

/** A new key, as `CREDENTIALS_KEY` takes it. */
export function generateCredentialKey(): string {
  return randomBytes(KEY_BYTES).toString("base64");
}

/**
 * Seals a text with the key that seals.
 * @throws {RangeError} when the text is not well-formed Unicode and would not come back as it went in
 */
export function seal(keys: CredentialKeys, place: SealPlace, text: string): Buffer {
  if (!text.isWellFormed()) throw new RangeError("Only well-formed text can be sealed.");
  const { sealingId } = keys;
  const header = Buffer.concat([Buffer.from([VERSION]), Buffer.from(sealingId, "hex")]);
  const nonce = randomBytes(NONCE_BYTES);
  const key = keys.subkey(sealingId, place.instanceId)!; // it is always configured
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(boundTo(header, place));
  const sealed = cipher.update(text, "utf8");
  return Buffer.concat([header, nonce, sealed, cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what {@link seal} made for the same place.
 * @throws {CredentialsUnreadableError} when the key is not at hand, or the envelope or its place changed
 */
export function unseal(keys: CredentialKeys, place: SealPlace, envelope: Uint8Array): string {
  const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength);
  if (bytes.length < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION) {
    throw unreadable(place, "The envelope is of an unknown form.");
  }
  const header = bytes.subarray(0, HEADER_BYTES);
  const id = header.toString("hex", 1);
  const key = keys.subkey(id, place.instanceId);
  if (key === undefined) throw unreadable(place, "The key that sealed it is not configured.", id);
  const nonce = bytes.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
  const tag = bytes.subarray(bytes.length - TAG_BYTES);
  const sealed = bytes.subarray(HEADER_BYTES + NONCE_BYTES, bytes.length - TAG_BYTES);
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(header, place));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
  } catch {
    throw unreadable(place, "The seal does not hold.");
  }
}

function unreadable(place: SealPlace, why: string, keyId?: string): CredentialsUnreadableError {
  return new CredentialsUnreadableError(place.instanceId, new Error(why), keyId);
}

function keyId(key: Uint8Array): string {
  return createHash("sha256").update(key).digest().subarray(0, KEY_ID_BYTES).toString("hex");
}

function boundTo(header: Buffer, place: SealPlace): Buffer {
  return Buffer.concat([header, lengthPrefixed([place.instanceId, place.kind, place.name])]);
}

/** Lengths first: no two lists of texts give the same bytes. */
function lengthPrefixed(texts: readonly string[]): Buffer {
  return Buffer.concat(texts.flatMap((text) => {
    const bytes = Buffer.from(text, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  }));
}
