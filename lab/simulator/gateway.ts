import type { BinaryNode } from "@whiskeysockets/baileys";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { makeCertificates } from "./certificates.ts";
import { Connection } from "./connection.ts";
import { type ControlServer, startControl } from "./control.ts";
import { type EventFilter, EventHub, type EventKind, type GatewayEvent } from "./events.ts";
import { FaultBook } from "./faults.ts";
import { Listener, type ListenerOwner } from "./listener.ts";
import { randomNumber, SimulatedPhone } from "./phone.ts";
import { RefBook } from "./refs.ts";
import type {
  ConnectionInfo,
  DeviceInfo,
  Gateway,
  GatewayOptions,
  GatewayStats,
  Phone,
  Target,
} from "./types.ts";
import type { DropStyle, StreamErrorSpec } from "./endings.ts";
import type { World } from "./world.ts";

/**
 * Starts a WhatsApp server on 127.0.0.1.
 * @throws when a port is taken
 */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new RunningGateway(options);
  await gateway.open(options.controlPort);
  return gateway;
}

class RunningGateway implements Gateway, ListenerOwner {
  readonly faults = new FaultBook();
  readonly stats: GatewayStats = emptyStats();
  readonly #world: World;
  readonly #events = new EventHub();
  readonly #phones = new Map<string, SimulatedPhone>();
  readonly #connections = new Map<number, Connection>();
  readonly #listener: Listener;
  #control: ControlServer | null = null;
  #lastId = 0;
  #onEmpty: (() => void)[] = [];
  #stopping: Promise<void> | null = null;

  constructor(options: GatewayOptions) {
    const now = options.now ?? Date.now;
    this.#world = {
      certificates: makeCertificates(),
      faults: this.faults,
      refs: new RefBook(options.refLife, now),
      devices: new Map(),
      newDevicePreKeys: options.newDevicePreKeys ?? 0,
      stats: this.stats,
      now,
      tell: (kind, { id, phone, deviceJid }, code) => {
        const event = { kind, at: now(), connection: id, phone, device: deviceJid };
        this.#events.emit(code === undefined ? event : { ...event, code });
      },
    };
    this.#listener = new Listener(this, options.port ?? 0);
  }

  async open(controlPort: number | undefined): Promise<void> {
    await this.#listener.open();
    if (controlPort === undefined) return;
    try {
      this.#control = startControl(this, controlPort);
    } catch (error) {
      await this.#listener.close();
      throw error;
    }
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#listener.port}/ws/chat`;
  }

  get controlUrl(): string | null {
    return this.#control?.url ?? null;
  }

  get rootKey(): string {
    return this.#world.certificates.rootKey;
  }

  get listening(): boolean {
    return this.#listener.isListening;
  }

  get connections(): readonly ConnectionInfo[] {
    return [...this.#connections.values()];
  }

  phone(number?: string): Phone {
    const wanted = number ?? this.#freeNumber();
    let phone = this.#phones.get(wanted);
    if (phone === undefined) this.#phones.set(wanted, phone = new SimulatedPhone(wanted, this.#world));
    return phone;
  }

  phones(): Phone[] {
    return [...this.#phones.values()];
  }

  device(jid: string): DeviceInfo | undefined {
    return this.#world.devices.get(jid);
  }

  devices(): DeviceInfo[] {
    return [...this.#world.devices.values()];
  }

  async goDown(): Promise<void> {
    const empty = this.#connections.size === 0
      ? Promise.resolve()
      : new Promise<void>((resolve) => void this.#onEmpty.push(resolve));
    await this.#listener.close();
    await empty;
  }

  async comeBack(): Promise<void> {
    if (this.#stopping !== null) throw new Error("a stopped gateway does not come back");
    await this.#listener.open();
  }

  dropAll(how?: DropStyle): number {
    return this.#each([...this.#connections.values()], (connection) => connection.drop(how));
  }

  drop(target: Target, how?: DropStyle): number {
    return this.#each(this.#find(target), (connection) => connection.drop(how));
  }

  streamError(target: Target, error: StreamErrorSpec): number {
    return this.#each(this.#find(target), (connection) => connection.streamError(error));
  }

  silence(target: Target): number {
    return this.#each(this.#find(target), (connection) => connection.channel.silence());
  }

  garble(target: Target): number {
    return this.#each(this.#find(target), (connection) => connection.channel.sendGarbage());
  }

  notify(target: Target, node: BinaryNode): number {
    return this.#each(this.#find(target), (connection) => connection.channel.send(node));
  }

  startOver(): void {
    this.faults.clear();
    Object.assign(this.stats, emptyStats());
  }

  when(kind: EventKind, filter?: EventFilter): Promise<GatewayEvent> {
    return this.#events.when(kind, filter);
  }

  on(listener: (event: GatewayEvent) => void): () => void {
    return this.#events.on(listener);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  onAttempt(): number {
    const id = ++this.#lastId;
    this.stats.attemptsAt.push(this.#world.now());
    this.#world.tell("attempt", { id, phone: null, deviceJid: null });
    return id;
  }

  onRefused(id: number): void {
    this.stats.refusals++;
    this.#world.tell("refused", { id, phone: null, deviceJid: null });
  }

  onWebSocket(id: number, ws: WebSocket, raw: Duplex): void {
    this.stats.connectionsOpened++;
    const connection = new Connection({
      id,
      ws,
      raw,
      world: this.#world,
      onGone: (gone) => this.#onGone(gone),
    });
    this.#connections.set(id, connection);
  }

  async #stop(): Promise<void> {
    await this.goDown();
    await this.#control?.stop();
    this.#events.stop();
  }

  #onGone(gone: Connection): void {
    this.#connections.delete(gone.id);
    this.#world.tell("closed", gone);
    if (this.#connections.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #each(connections: readonly Connection[], act: (connection: Connection) => void): number {
    for (const connection of connections) act(connection);
    return connections.length;
  }

  #find(target: Target): Connection[] {
    if (typeof target === "number") {
      const connection = this.#connections.get(target);
      return connection ? [connection] : [];
    }
    const name = typeof target === "string" ? target : "jid" in target ? target.jid : target.number;
    return [...this.#connections.values()].filter(({ phone, deviceJid }) =>
      phone === name || deviceJid === name
    );
  }

  #freeNumber(): string {
    let number = randomNumber();
    while (this.#phones.has(number)) number = randomNumber();
    return number;
  }
}

function emptyStats(): GatewayStats {
  return {
    connectionsOpened: 0,
    registrations: 0,
    pairings: 0,
    logins: 0,
    overlaps: 0,
    failures: 0,
    refusals: 0,
    brokenHandshakes: 0,
    badSignatures: 0,
    logouts: 0,
    unlinks: 0,
    pings: 0,
    preKeysUploaded: 0,
    attemptsAt: [],
  };
}
