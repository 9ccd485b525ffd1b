import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { decodeBinaryNode, proto } from "@whiskeysockets/baileys";
import type { WebSocket } from "ws";
import { Channel, type ChannelOwner } from "./channel.ts";
import type { FaultSubject } from "./faults.ts";
import { ServerHandshake } from "./noise.ts";
import { Pairing } from "./pairing.ts";
import { Session } from "./session.ts";
import type { Stage, StagedConnection } from "./stage.ts";
import * as stanza from "./stanzas.ts";
import type { ConnectionInfo, ConnectionState } from "./types.ts";
import type { DropStyle, StreamErrorSpec } from "./endings.ts";
import type { World } from "./world.ts";

type HandshakeStep =
  | { readonly step: "hello" }
  | { readonly step: "finish"; readonly handshake: ServerHandshake }
  | { readonly step: "stuck" }
  | { readonly step: "done"; readonly stage: Stage };

/** One client's connection, from its first byte to its last. */
export class Connection implements ConnectionInfo, ChannelOwner, StagedConnection {
  readonly id: number;
  readonly since: number;
  readonly channel: Channel;
  readonly world: World;
  state: ConnectionState = "handshake";
  phone: string | null = null;
  deviceJid: string | null = null;
  kind: FaultSubject["kind"] = null;
  readonly #onGone: (connection: Connection) => void;
  #step: HandshakeStep = { step: "hello" };
  // Decoding may inflate asynchronously; nodes must not overtake each other meanwhile.
  #decoded: Promise<void> = Promise.resolve();

  constructor(
    init: { id: number; ws: WebSocket; raw: Duplex; world: World; onGone: (gone: Connection) => void },
  ) {
    this.id = init.id;
    this.world = init.world;
    this.since = init.world.now();
    this.#onGone = init.onGone;
    this.channel = new Channel(init.ws, init.raw, this);
  }

  /** What faults may match. */
  get subject(): FaultSubject {
    return { phone: this.phone, device: this.deviceJid, kind: this.kind };
  }

  onFrame(payload: Buffer): void {
    const step = this.#step;
    switch (step.step) {
      case "hello":
        return this.#onHello(payload);
      case "finish":
        return this.#onFinish(payload, step.handshake);
      case "done":
        return this.#onSealedNode(payload, step.stage);
      case "stuck":
        return;
      default:
        return step satisfies never;
    }
  }

  onBroken(): void {
    if (this.state === "handshake") this.world.stats.brokenHandshakes++;
  }

  onClosed(): void {
    if (this.#step.step === "done") this.#step.stage.onClosed();
    this.#onGone(this);
  }

  /** Ends a login or a registration with `<failure>`. */
  fail(code: number): void {
    this.world.stats.failures++;
    this.channel.send(stanza.failure(code));
    this.world.tell("failure", this, code);
    this.channel.close();
  }

  /** Says what is wrong and closes. */
  streamError(error: StreamErrorSpec): void {
    this.channel.send(stanza.streamError(error));
    this.channel.close();
  }

  drop(how: DropStyle = "terminate"): void {
    switch (how) {
      case "terminate":
        return this.channel.terminate();
      case "xmlstreamend":
        this.channel.send(stanza.streamEnd());
        return this.channel.close();
      case "close":
        return this.channel.close();
      default:
        return how satisfies never;
    }
  }

  /**
   * Strikes with `failure` or `downgrade` if a fault says so.
   * @returns whether the connection ended that way
   */
  isTurnedAway(): boolean {
    const fault = this.world.faults.strike(["failure", "downgrade"], this.subject);
    if (fault === null) return false;
    if (fault.do === "failure") this.fail(fault.code);
    else {
      this.channel.send(stanza.downgrade());
      this.channel.close();
    }
    return true;
  }

  /** Waits as long as a fault wants; false when the connection is gone by then. */
  async waitAt(stage: "handshake" | "pairing" | "success" | "515" | "iq"): Promise<boolean> {
    const held = this.world.faults.hold(stage, this.subject);
    if (held !== null) await held;
    const ms = this.world.faults.delay(stage, this.subject);
    return ms > 0 ? await this.channel.pause(ms) : this.channel.isOpen;
  }

  toJSON(): ConnectionInfo {
    const { id, state, deviceJid, phone, since } = this;
    return { id, state, deviceJid, phone, since };
  }

  #onHello(payload: Buffer): void {
    const { clientHello } = proto.HandshakeMessage.decode(payload);
    if (!clientHello?.ephemeral?.length) throw new Error("the first message is no client hello");
    const { ephemeral } = clientHello;
    this.#step = { step: "stuck" };
    const { faults, certificates } = this.world;
    const fault = faults.strike(["hang-handshake", "garble-handshake", "bad-certificate"], this.subject);
    if (fault?.do === "hang-handshake") return;
    if (fault?.do === "garble-handshake") return this.channel.sendGarbage();
    const handshake = new ServerHandshake(this.channel.header!, certificates.staticKey);
    const chain = certificates.chain(fault?.flaw);
    const serverHello = handshake.respond(ephemeral, chain);
    void this.waitAt("handshake").then((isOpen) => {
      if (!isOpen) return;
      this.#step = { step: "finish", handshake };
      this.channel.sendPlain(proto.HandshakeMessage.encode({ serverHello }).finish());
    });
  }

  #onFinish(message: Buffer, handshake: ServerHandshake): void {
    const { clientFinish } = proto.HandshakeMessage.decode(message);
    if (!clientFinish?.static || !clientFinish.payload) {
      throw new Error("the second message is no client finish");
    }
    const { clientKey, payload, transport } = handshake.finish(clientFinish.static, clientFinish.payload);
    const wish = proto.ClientPayload.decode(payload);
    this.channel.transport = transport;
    const stage: Stage = wish.devicePairingData
      ? new Pairing(this, clientKey, wish.devicePairingData)
      : new Session(this, clientKey, wish);
    this.#step = { step: "done", stage };
    this.world.tell("handshake", this);
    stage.start();
  }

  #onSealedNode(payload: Buffer, stage: Stage): void {
    const plain = this.channel.transport!.decrypt(payload);
    this.#decoded = this.#decoded.then(async () => {
      try {
        stage.onNode(await decodeBinaryNode(plain));
      } catch {
        this.channel.terminate(); // not a node
      }
    });
  }
}
