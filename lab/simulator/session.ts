import { Buffer } from "node:buffer";
import type { BinaryNode, proto } from "@whiskeysockets/baileys";
import type { Stage, StagedConnection } from "./stage.ts";
import { type Device, deviceJid, type DeviceLink } from "./devices.ts";
import type { FaultRule } from "./faults.ts";
import * as stanza from "./stanzas.ts";

type OnlineFault = Extract<FaultRule, { do: "silence" | "drop" | "stream-error" | "garble" }>;

/** A linked device's connection: its login, and every question it asks from then on. */
export class Session implements Stage, DeviceLink {
  readonly #connection: StagedConnection;
  readonly #noiseKey: Uint8Array;
  #device: Device | null = null;
  #isLoggedIn = false;
  #isOverlap = false;

  constructor(connection: StagedConnection, noiseKey: Uint8Array, wish: proto.IClientPayload) {
    this.#connection = connection;
    this.#noiseKey = noiseKey;
    connection.state = "login";
    connection.kind = "login";
    connection.phone = `+${wish.username ?? ""}`;
    connection.deviceJid = deviceJid(connection.phone, wish.device ?? 0);
  }

  get isOpen(): boolean {
    return this.#connection.channel.isOpen;
  }

  get isOnline(): boolean {
    return this.#connection.state === "online" && this.isOpen;
  }

  start(): void {
    const connection = this.#connection;
    const device = connection.world.devices.get(connection.deviceJid!);
    const isKnown = device !== undefined && !device.removed &&
      Buffer.compare(device.noiseKey, this.#noiseKey) === 0;
    // Before any fault: a second login is an overlap however it ends.
    if (isKnown) this.#countOverlap(device);
    if (connection.isTurnedAway()) return;
    if (!isKnown) return connection.fail(401);
    if (connection.world.faults.strike(["no-success"], connection.subject)) return;
    void this.#logIn(device);
  }

  onNode(node: BinaryNode): void {
    if (node.tag !== "iq" || (node.attrs.type !== "get" && node.attrs.type !== "set")) return;
    const fault = this.#connection.world.faults.strike(
      ["no-iq", "refuse-iq"],
      this.#connection.subject,
      (action) => action.xmlns === undefined || action.xmlns === node.attrs.xmlns,
    );
    if (fault === null) return void this.#answer(node);
    if (fault.do === "refuse-iq") {
      this.#connection.channel.send(stanza.iqError(node.attrs.id ?? "", fault.code));
    }
  }

  onClosed(): void {
    if (this.#device?.link === this) this.#device.link = null;
  }

  replace(): void {
    this.#connection.streamError({ child: "conflict", attrs: { type: "replaced" } });
  }

  expel(): void {
    this.#connection.streamError({ code: 401, child: "conflict", attrs: { type: "device_removed" } });
  }

  #countOverlap(device: Device): void {
    if (this.#isOverlap || !device.link?.isOpen) return;
    this.#isOverlap = true;
    this.#connection.world.stats.overlaps++;
    this.#connection.world.tell("overlap", this.#connection);
  }

  async #logIn(device: Device): Promise<void> {
    const { world, channel } = this.#connection;
    if (!await this.#connection.waitAt("success")) return;
    if (device.removed) return this.#connection.fail(401);
    this.#countOverlap(device); // two logins may have been under way together
    device.link?.replace();
    device.link = this;
    device.logins++;
    this.#device = device;
    this.#isLoggedIn = true;
    world.stats.logins++;
    channel.send(stanza.success(Math.floor(world.now() / 1000), device.lid));
    channel.send(stanza.nothingOffline());
    world.tell("login", this.#connection);
  }

  async #answer(node: BinaryNode): Promise<void> {
    // What was asked takes effect although the client may have left: Baileys hangs up right after its logout.
    await this.#connection.waitAt("iq");
    const device = this.#device;
    const { world, channel } = this.#connection;
    const id = node.attrs.id ?? "";
    if (device === null || !this.#isLoggedIn) return channel.send(stanza.iqResult(id));
    switch (node.attrs.xmlns) {
      case "encrypt":
        return this.#answerEncrypt(node, id, device);
      case "w:p":
        channel.send(stanza.iqResult(id));
        world.stats.pings++;
        return world.tell("ping", this.#connection);
      case "md":
        return this.#onRemoval(stanza.childOf(node, "remove-companion-device"), id, device);
      default:
        return channel.send(stanza.iqResult(id));
    }
  }

  #answerEncrypt(node: BinaryNode, id: string, device: Device): void {
    const { world, channel } = this.#connection;
    if (stanza.childOf(node, "count")) {
      const count: BinaryNode = { tag: "count", attrs: { value: String(device.preKeys) } };
      return channel.send(stanza.iqResult(id, count));
    }
    if (stanza.childOf(node, "digest")) {
      channel.send(stanza.iqResult(id, { tag: "digest", attrs: {} }));
      return this.#goOnline();
    }
    const uploaded = stanza.childOf(node, "list")?.content;
    if (Array.isArray(uploaded)) {
      device.preKeys += uploaded.length;
      world.stats.preKeysUploaded += uploaded.length;
    }
    channel.send(stanza.iqResult(id));
  }

  #onRemoval(removal: BinaryNode | undefined, id: string, device: Device): void {
    const isForeign = removal !== undefined && removal.attrs.jid !== device.jid;
    this.#connection.channel.send(isForeign ? stanza.iqError(id, 403) : stanza.iqResult(id));
    if (removal === undefined || isForeign || device.removed) return;
    this.#connection.world.stats.logouts++;
    this.#connection.world.tell("logout", this.#connection);
    device.remove();
  }

  // The digest is the last thing that Baileys asks before it calls the connection open.
  #goOnline(): void {
    if (this.#connection.state === "online") return;
    this.#connection.state = "online";
    const { faults } = this.#connection.world;
    const fault = faults.strike(["silence", "drop", "stream-error", "garble"], this.#connection.subject);
    this.#connection.world.tell("online", this.#connection);
    if (fault !== null) void this.#strike(fault);
  }

  async #strike(fault: OnlineFault): Promise<void> {
    // Even "at once" is a turn later, or the client would lose the answer that takes it online. Silence loses nothing.
    const isAtOnce = fault.do === "silence" && !fault.afterMs;
    if (!isAtOnce && !await this.#connection.channel.pause(fault.afterMs ?? 0)) return;
    switch (fault.do) {
      case "silence":
        return this.#connection.channel.silence();
      case "drop":
        return this.#connection.drop(fault.how);
      case "stream-error":
        return this.#connection.streamError(fault);
      case "garble":
        return this.#connection.channel.sendGarbage();
      default:
        return fault satisfies never;
    }
  }
}
