import { Buffer } from "node:buffer";
import {
  type BinaryNode,
  decodeBinaryNode,
  encodeBinaryNode,
  proto,
  S_WHATSAPP_NET,
} from "@whiskeysockets/baileys";
import { type RawData, WebSocket } from "ws";
import { checkChain } from "./certificates.ts";
import { frame } from "./frames.ts";
import { type AgreementKey, generateAgreementKey, sharedSecret, SigningKey } from "./keys.ts";
import { HandshakeState, Transport } from "./noise.ts";
import { bytesOf, childOf } from "./stanzas.ts";

const HEADER = Uint8Array.of(0x57, 0x41, 6, 3);
const DEVICE_SIGNATURE = Uint8Array.of(6, 1);
const WAIT_MS = 300_000;

/** A client's long-lived keys. */
export class LightKeys {
  readonly noise: AgreementKey = generateAgreementKey();
  readonly identity = new SigningKey();
  readonly advSecret: Uint8Array = crypto.getRandomValues(new Uint8Array(32));

  /** The text of the QR that shows this ref. */
  pairingText(ref: string): string {
    const keys = [this.noise.publicKey, this.identity.publicKey, this.advSecret];
    const parts = [ref, ...keys.map((key) => Buffer.from(key).toString("base64")), "1"];
    return `https://wa.me/settings/linked_devices#${parts.join(",")}`;
  }
}

/** How a light client departs from the ordinary. */
export interface LightOptions {
  /** Sent before the header, as a client does that was told a preferred edge. */
  readonly routingInfo?: Uint8Array;
  /** Cuts all that is sent into messages of so many bytes. */
  readonly chunkBytes?: number;
}

/**
 * The smallest client that speaks the protocol. Unlike Baileys it checks the certificate chain in earnest, can lie,
 * and leaves no timer behind, so that the gateway's own leaks show.
 */
export class LightClient implements AsyncDisposable {
  readonly #ws: WebSocket;
  readonly #options: LightOptions;
  readonly #inbox: (Buffer | null)[] = [];
  #wake: (() => void) | null = null;
  #received = Buffer.alloc(0);
  #hasSent = false;
  #transport: Transport | null = null;
  /** Resolves when the WebSocket is gone. */
  readonly closed: Promise<void>;

  private constructor(url: string, options: LightOptions) {
    this.#options = options;
    this.#ws = new WebSocket(url, { perMessageDeflate: false });
    this.#ws.on("message", (data: RawData) => this.#onBytes(data as Buffer));
    this.#ws.on("error", () => {});
    this.closed = new Promise((resolve) =>
      this.#ws.on("close", () => {
        this.#deliver(null);
        resolve();
      })
    );
  }

  /**
   * Opens a WebSocket and shakes hands.
   * @throws when the chain does not lead to `rootKey`, or the connection ends before
   */
  static async connect(
    gateway: { url: string; rootKey: string },
    keys: LightKeys,
    payload: proto.IClientPayload,
    options: LightOptions = {},
  ): Promise<LightClient> {
    const client = new LightClient(gateway.url, options);
    try {
      await client.#handshake(Buffer.from(gateway.rootKey, "hex"), keys, payload);
      return client;
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  /** Asks to be paired, and returns the client with the refs that it was sent. */
  static async register(
    gateway: { url: string; rootKey: string },
    keys: LightKeys,
    options?: LightOptions,
  ): Promise<{ client: LightClient; refs: string[] }> {
    const payload = { devicePairingData: { eIdent: keys.identity.publicKey } };
    const client = await LightClient.connect(gateway, keys, payload, options);
    const pairDevice = childOf(await client.next("iq"), "pair-device");
    const refs = Array.isArray(pairDevice?.content) ? pairDevice.content : [];
    return { client, refs: refs.map((ref) => Buffer.from(bytesOf(ref)!).toString()) };
  }

  /** Logs in as a device. */
  static async logIn(
    gateway: { url: string; rootKey: string },
    keys: LightKeys,
    jid: string,
    options?: LightOptions,
  ): Promise<LightClient> {
    const [, user, device] = /^(\d+):(\d+)@/.exec(jid) ?? [];
    const payload = { username: Number(user), device: Number(device), passive: true };
    return await LightClient.connect(gateway, keys, payload, options);
  }

  /** Signs the identity in a pair-success, with a key that need not be the right one. */
  async sign(pairSuccess: BinaryNode, keys: LightKeys, signer: SigningKey = keys.identity): Promise<void> {
    const sealed = bytesOf(childOf(childOf(pairSuccess, "pair-success")!, "device-identity"))!;
    const identity = proto.ADVSignedDeviceIdentity.decode(
      proto.ADVSignedDeviceIdentityHMAC.decode(sealed).details!,
    );
    const message = [
      DEVICE_SIGNATURE,
      identity.details!,
      keys.identity.publicKey,
      identity.accountSignatureKey!,
    ];
    const answer = proto.ADVSignedDeviceIdentity.encode({
      details: identity.details,
      accountSignature: identity.accountSignature,
      deviceSignature: signer.sign(Buffer.concat(message)),
    }).finish();
    const deviceIdentity = { tag: "device-identity", attrs: { "key-index": "1" }, content: answer };
    await this.send({
      tag: "iq",
      attrs: { to: S_WHATSAPP_NET, type: "result", id: pairSuccess.attrs.id ?? "" },
      content: [{ tag: "pair-device-sign", attrs: {}, content: [deviceIdentity] }],
    });
  }

  /** Asks and returns the answer. */
  async query(xmlns: string, type: "get" | "set", child: BinaryNode): Promise<BinaryNode> {
    await this.send({
      tag: "iq",
      attrs: { to: S_WHATSAPP_NET, type, xmlns, id: crypto.randomUUID() },
      content: [child],
    });
    return await this.next("iq");
  }

  /** The next node, which must have this tag. */
  async next(tag: string): Promise<BinaryNode> {
    const node = await decodeBinaryNode(this.#transport!.decrypt(await this.#nextFrame()));
    if (node.tag !== tag) throw new Error(`<${node.tag}> came where <${tag}> was awaited`);
    return node;
  }

  send(node: BinaryNode): Promise<void> {
    return this.#write(this.#transport!.encrypt(encodeBinaryNode(node)));
  }

  /** Bytes after the handshake that no key made. */
  sendGarbage(): Promise<void> {
    return this.#write(crypto.getRandomValues(new Uint8Array(40)));
  }

  async end(): Promise<void> {
    this.#ws.terminate();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #handshake(rootKey: Uint8Array, keys: LightKeys, payload: proto.IClientPayload): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#ws.once("open", resolve);
      this.#ws.once("close", () => reject(new Error("closed before it was open")));
    });
    const state = new HandshakeState();
    const ephemeral = generateAgreementKey();
    state.mixHash(HEADER);
    state.mixHash(ephemeral.publicKey);
    await this.#write(encodeHandshake({ clientHello: { ephemeral: ephemeral.publicKey } }));
    const { serverHello } = proto.HandshakeMessage.decode(await this.#nextFrame());
    state.mixHash(serverHello!.ephemeral!);
    state.mixKey(sharedSecret(ephemeral, serverHello!.ephemeral!));
    const serverKey = state.decrypt(serverHello!.static!);
    state.mixKey(sharedSecret(ephemeral, serverKey));
    checkChain(state.decrypt(serverHello!.payload!), rootKey, serverKey);
    const sealedKey = state.encrypt(keys.noise.publicKey);
    state.mixKey(sharedSecret(keys.noise, serverHello!.ephemeral!));
    const sealedPayload = state.encrypt(proto.ClientPayload.encode(payload).finish());
    await this.#write(encodeHandshake({ clientFinish: { static: sealedKey, payload: sealedPayload } }));
    const [toServer, fromServer] = state.split();
    this.#transport = new Transport(toServer, fromServer);
  }

  async #write(payload: Uint8Array): Promise<void> {
    const bytes = this.#hasSent ? frame(payload) : Buffer.concat([this.#opening(), frame(payload)]);
    this.#hasSent = true;
    const size = this.#options.chunkBytes ?? bytes.length;
    for (let start = 0; start < bytes.length; start += size) {
      await new Promise<void>((resolve) =>
        this.#ws.send(bytes.subarray(start, start + size), () => resolve())
      );
    }
  }

  #opening(): Buffer {
    const { routingInfo } = this.#options;
    if (routingInfo === undefined) return Buffer.from(HEADER);
    return Buffer.concat([Buffer.from("ED\0\x01", "latin1"), frame(routingInfo), HEADER]);
  }

  #onBytes(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 3) {
      const end = 3 + this.#received.readUIntBE(0, 3);
      if (this.#received.length < end) return;
      this.#deliver(this.#received.subarray(3, end));
      this.#received = this.#received.subarray(end);
    }
  }

  #deliver(payload: Buffer | null): void {
    this.#inbox.push(payload);
    this.#wake?.();
  }

  async #nextFrame(): Promise<Buffer> {
    if (this.#inbox.length === 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came within ${WAIT_MS} ms`)), WAIT_MS);
        this.#wake = resolve;
      }).finally(() => clearTimeout(timer));
      this.#wake = null;
    }
    const payload = this.#inbox.shift();
    if (!payload) throw new Error("the connection ended");
    return payload;
  }
}

function encodeHandshake(message: proto.IHandshakeMessage): Uint8Array {
  return proto.HandshakeMessage.encode(message).finish();
}
