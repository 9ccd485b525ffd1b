import { Buffer } from "node:buffer";
import type { BinaryNode, proto } from "@whiskeysockets/baileys";
import { type DeviceIdentity, isSignedByDevice, makeDeviceIdentity, sealDeviceIdentity } from "./adv.ts";
import type { Stage, StagedConnection } from "./stage.ts";
import { Device, deviceJid } from "./devices.ts";
import type { PairingText } from "./qr.ts";
import type { Account, Scannable } from "./account.ts";
import * as stanza from "./stanzas.ts";
import type { ScanResult } from "./types.ts";

interface Scan {
  readonly account: Account;
  readonly identity: DeviceIdentity;
  readonly device: Device;
  readonly resolve: (result: ScanResult) => void;
  readonly reject: (error: Error) => void;
}

/** A connection that is not linked yet: shows refs, is scanned, signs, and is sent away with 515. */
export class Pairing implements Stage, Scannable {
  readonly #connection: StagedConnection;
  readonly #noiseKey: Uint8Array;
  readonly #identityKey: Uint8Array;
  #refs: readonly string[] = [];
  #isScanned = false;
  #scan: Scan | null = null;

  constructor(
    connection: StagedConnection,
    noiseKey: Uint8Array,
    data: proto.ClientPayload.IDevicePairingRegistrationData,
  ) {
    this.#connection = connection;
    this.#noiseKey = noiseKey;
    this.#identityKey = data.eIdent ?? new Uint8Array();
    connection.state = "pairing";
    connection.kind = "pairing";
  }

  start(): void {
    const { world } = this.#connection;
    world.stats.registrations++;
    if (this.#connection.isTurnedAway()) return;
    if (world.faults.strike(["no-refs"], this.#connection.subject)) return;
    void this.#showRefs();
  }

  /**
   * A phone scans one of the refs.
   * @throws {Error} when the QR's keys are not this client's, or its signature turns out wrong
   */
  async scan(account: Account, text: PairingText): Promise<ScanResult> {
    const { world, channel } = this.#connection;
    if (!sameBytes(text.noiseKey, this.#noiseKey) || !sameBytes(text.identityKey, this.#identityKey)) {
      throw new Error("the QR holds other keys than the connection whose ref it shows");
    }
    if (this.#isScanned) return { outcome: "already_used" };
    if (!channel.isOpen) return { outcome: "closed" };
    this.#isScanned = true;
    world.refs.retire(this.#refs, "already_used");
    this.#connection.phone = account.number;
    world.tell("scanned", this.#connection);
    if (account.requiresPasskey) {
      channel.send(stanza.passkeyPrologue(this.#nextId("passkey")));
      return { outcome: "passkey_demanded" };
    }
    return await this.#link(account, text.advSecret);
  }

  onNode(node: BinaryNode): void {
    const sign = stanza.childOf(node, "pair-device-sign");
    if (sign !== undefined && this.#scan !== null) {
      return this.#onSigned(stanza.bytesOf(stanza.childOf(sign, "device-identity")), this.#scan);
    }
    const isRequest = node.tag === "iq" && (node.attrs.type === "get" || node.attrs.type === "set");
    if (isRequest) this.#connection.channel.send(stanza.iqResult(node.attrs.id ?? ""));
  }

  onClosed(): void {
    this.#connection.world.refs.retire(this.#refs, "expired");
    this.#scan?.resolve({ outcome: "closed" });
    this.#scan = null;
  }

  async #showRefs(): Promise<void> {
    if (!await this.#connection.waitAt("pairing")) return;
    const { world, channel } = this.#connection;
    this.#refs = world.refs.issue(this);
    channel.send(stanza.pairDevice(this.#nextId("pair-device"), this.#refs));
    world.tell("pairing", this.#connection);
  }

  #link(account: Account, advSecret: Uint8Array): Promise<ScanResult> {
    const { world, channel, subject } = this.#connection;
    const index = account.takeDeviceIndex();
    const seconds = Math.floor(world.now() / 1000);
    const identity = makeDeviceIdentity(Math.floor(Math.random() * 2 ** 31), index, seconds);
    const device = new Device({
      jid: deviceJid(account.number, index),
      lid: `${account.lidUser}:${index}@lid`,
      phone: account.number,
      noiseKey: this.#noiseKey,
      preKeys: world.newDevicePreKeys,
    });
    return new Promise((resolve, reject) => {
      this.#scan = { account, identity, device, resolve, reject };
      const fault = world.faults.strike(["no-pair-success", "bad-hmac"], subject);
      if (fault?.do === "no-pair-success") return;
      const secret = fault?.do === "bad-hmac" ? advSecret.map((byte) => byte ^ 0xff) : advSecret;
      const sealed = sealDeviceIdentity(account.key, identity, this.#identityKey, secret);
      channel.send(stanza.pairSuccess(this.#nextId("pair-success"), seconds, device, sealed));
    });
  }

  #onSigned(answer: Uint8Array | undefined, scan: Scan): void {
    const { world } = this.#connection;
    this.#scan = null;
    if (!answer || !isSignedByDevice(answer, scan.identity, this.#identityKey, scan.account.key.publicKey)) {
      world.stats.badSignatures++;
      scan.reject(new Error("the client did not sign the identity that it was given"));
      return this.#connection.channel.close();
    }
    world.devices.set(scan.device.jid, scan.device);
    world.stats.pairings++;
    this.#connection.state = "paired";
    this.#connection.deviceJid = scan.device.jid;
    world.tell("paired", this.#connection);
    scan.resolve({ outcome: "paired", device: scan.device });
    void this.#sendAway();
  }

  async #sendAway(): Promise<void> {
    const fault = this.#connection.world.faults.strike(["no-515"], this.#connection.subject);
    if (fault !== null) return fault.close ? this.#connection.channel.close() : undefined;
    if (await this.#connection.waitAt("515")) this.#connection.streamError({ code: 515 });
  }

  #nextId(what: string): string {
    return `${what}-${this.#connection.id}`;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
