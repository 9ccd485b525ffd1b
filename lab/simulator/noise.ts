import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { type AgreementKey, generateAgreementKey, sharedSecret } from "./keys.ts";

// Exactly 32 bytes, so Noise takes the padded name itself as its first hash.
const PROTOCOL_NAME = Buffer.from("Noise_XX_25519_AESGCM_SHA256\0\0\0\0", "latin1");
const TAG_BYTES = 16;
const EMPTY = Buffer.alloc(0);

/** The server's half of the hello, ready to be wrapped as `serverHello`. */
export interface ServerHello {
  readonly ephemeral: Uint8Array;
  readonly static: Uint8Array;
  readonly payload: Uint8Array;
}

/** What the client's last handshake message held. */
export interface ClientFinish {
  /** The client's noise public key, 32 bytes. */
  readonly clientKey: Uint8Array;
  /** The plain `ClientPayload`. */
  readonly payload: Uint8Array;
  readonly transport: Transport;
}

/** What both sides of a handshake keep in step: the hash of all that was said, and the key of the moment. */
export class HandshakeState {
  #hash: Buffer = PROTOCOL_NAME;
  #salt: Buffer = PROTOCOL_NAME;
  #key: Buffer = PROTOCOL_NAME;
  #counter = 0;

  mixHash(data: Uint8Array): void {
    this.#hash = createHash("sha256").update(this.#hash).update(data).digest();
  }

  mixKey(secret: Uint8Array): void {
    [this.#salt, this.#key] = expand(this.#salt, secret);
    this.#counter = 0;
  }

  encrypt(plain: Uint8Array): Buffer {
    const sealed = seal(this.#key, this.#counter++, plain, this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  /** @throws when the bytes were not sealed in the same state */
  decrypt(sealed: Uint8Array): Buffer {
    const plain = unseal(this.#key, this.#counter++, sealed, this.#hash);
    this.mixHash(sealed);
    return plain;
  }

  /** The transport keys: what the client sends with, then what the server sends with. */
  split(): [Buffer, Buffer] {
    return expand(this.#salt, EMPTY);
  }
}

/** The server's side of one Noise XX handshake. */
export class ServerHandshake {
  readonly #state = new HandshakeState();
  readonly #ephemeral = generateAgreementKey();
  readonly #static: AgreementKey;

  /**
   * @param header the four bytes that opened the client's stream
   * @param staticKey the key that the certificate chain vouches for
   */
  constructor(header: Uint8Array, staticKey: AgreementKey) {
    this.#static = staticKey;
    this.#state.mixHash(header);
  }

  /**
   * Answers the client's ephemeral key.
   * @throws when it is no valid public key
   */
  respond(clientEphemeral: Uint8Array, certificateChain: Uint8Array): ServerHello {
    this.#state.mixHash(clientEphemeral);
    this.#state.mixHash(this.#ephemeral.publicKey);
    this.#state.mixKey(sharedSecret(this.#ephemeral, clientEphemeral));
    const encryptedStatic = this.#state.encrypt(this.#static.publicKey);
    this.#state.mixKey(sharedSecret(this.#static, clientEphemeral));
    return {
      ephemeral: this.#ephemeral.publicKey,
      static: encryptedStatic,
      payload: this.#state.encrypt(certificateChain),
    };
  }

  /**
   * Opens the client's last handshake message and derives the transport keys.
   * @throws when it was not encrypted by the holder of the ephemeral key
   */
  finish(encryptedStatic: Uint8Array, encryptedPayload: Uint8Array): ClientFinish {
    const clientKey = this.#state.decrypt(encryptedStatic);
    this.#state.mixKey(sharedSecret(this.#ephemeral, clientKey));
    const payload = this.#state.decrypt(encryptedPayload);
    const [fromClient, toClient] = this.#state.split();
    return { clientKey, payload, transport: new Transport(toClient, fromClient) };
  }
}

/** The two counted ciphers that carry everything after the handshake. */
export class Transport {
  readonly #sendKey: Buffer;
  readonly #receiveKey: Buffer;
  #sent = 0;
  #received = 0;

  constructor(sendKey: Buffer, receiveKey: Buffer) {
    this.#sendKey = sendKey;
    this.#receiveKey = receiveKey;
  }

  encrypt(plain: Uint8Array): Buffer {
    return seal(this.#sendKey, this.#sent++, plain, EMPTY);
  }

  /** @throws when the bytes are not the peer's next message */
  decrypt(sealed: Uint8Array): Buffer {
    return unseal(this.#receiveKey, this.#received++, sealed, EMPTY);
  }
}

// HKDF-SHA256 with an empty info, cut into two keys.
function expand(salt: Uint8Array, secret: Uint8Array): [Buffer, Buffer] {
  const prk = createHmac("sha256", salt).update(secret).digest();
  const first = createHmac("sha256", prk).update(Uint8Array.of(1)).digest();
  const second = createHmac("sha256", prk).update(first).update(Uint8Array.of(2)).digest();
  return [first, second];
}

function nonce(counter: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

function seal(key: Uint8Array, counter: number, plain: Uint8Array, associated: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce(counter));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function unseal(key: Uint8Array, counter: number, sealed: Uint8Array, associated: Uint8Array): Buffer {
  if (sealed.byteLength < TAG_BYTES) throw new RangeError("a sealed message is at least its tag");
  const tagStart = sealed.byteLength - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, nonce(counter));
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(tagStart));
  return Buffer.concat([decipher.update(sealed.subarray(0, tagStart)), decipher.final()]);
}
