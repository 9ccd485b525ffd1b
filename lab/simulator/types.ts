import type { BinaryNode } from "@whiskeysockets/baileys";
import type { DropStyle, StreamErrorSpec } from "./endings.ts";
import type { FaultHandle, FaultRule } from "./faults.ts";
import type { EventFilter, EventKind, GatewayEvent } from "./events.ts";
import type { RefLife } from "./refs.ts";

/**
 * How far a connection has come: `handshake` until the client said who it is; `pairing` while its QRs may be
 * scanned; `paired` once it signed; `login` from a known device's payload on; `online` when it has asked for all
 * that it asks before it calls itself open.
 */
export type ConnectionState = "handshake" | "pairing" | "paired" | "login" | "online";

/** A live connection, as seen from outside. */
export interface ConnectionInfo {
  readonly id: number;
  readonly state: ConnectionState;
  readonly deviceJid: string | null;
  /** E.164. */
  readonly phone: string | null;
  /** When the WebSocket opened: milliseconds, UTC. */
  readonly since: number;
}

/** A linked device, as the server knows it. */
export interface DeviceInfo {
  readonly jid: string;
  readonly lid: string;
  /** E.164. */
  readonly phone: string;
  /** Pre-keys that it has uploaded. */
  readonly preKeys: number;
  /** Accepted logins, the overlapping ones included. */
  readonly logins: number;
  /** Unlinked, from the phone or by the device itself. Its logins fail with 401. */
  readonly removed: boolean;
  readonly online: boolean;
}

/** Counters since start. Never reset. */
export interface GatewayStats {
  /** WebSockets that were opened. */
  connectionsOpened: number;
  /** Connections that asked to be paired. */
  registrations: number;
  /** Pairings that were signed. */
  pairings: number;
  /** Logins that got `success`. */
  logins: number;
  /** Logins of a device whose earlier logged-in socket was still open on this side. */
  overlaps: number;
  /** `<failure>` answers. */
  failures: number;
  /** TCP connections that a fault refused, answered with an HTTP status, or left hanging. */
  refusals: number;
  /** Handshakes that the client got wrong or that it broke off by sending nonsense. */
  brokenHandshakes: number;
  /** Pairings whose device signature did not verify. */
  badSignatures: number;
  /** Devices removed by themselves. */
  logouts: number;
  /** Devices removed on the phone. */
  unlinks: number;
  /** Keep-alive pings answered. */
  pings: number;
  /** Pre-keys accepted. */
  preKeysUploaded: number;
  /** When each TCP connection arrived, refused ones included: milliseconds, UTC. */
  attemptsAt: number[];
}

/** The end of a scan, as the phone's screen would tell it. */
export type ScanResult =
  | { readonly outcome: "paired"; readonly device: DeviceInfo }
  | { readonly outcome: "expired" | "unknown_ref" | "already_used" | "passkey_demanded" | "closed" };

/** A simulated phone: one account, which may link several devices. */
export interface Phone {
  /** E.164. */
  readonly number: string;
  /** When true a scan is answered with a demand for a passkey, which clients such as Baileys cannot meet. */
  requiresPasskey: boolean;
  /** The devices linked now. */
  readonly devices: readonly DeviceInfo[];
  /**
   * Scans a QR: decodes the picture, finds the connection that shows it and links it. Resolves when the client has
   * signed, or says why it came to nothing. It may wait as long as the client's connection lives.
   * @param qrString `data:image/png;base64,…`
   * @throws {Error} when there is no pairing QR in it, when it is another client's keys that it shows, or when the
   * client's signature is wrong
   */
  scan(qrString: string): Promise<ScanResult>;
  /** The same from a pairing text, for callers that never draw the picture. */
  scanText(pairingText: string): Promise<ScanResult>;
  /**
   * Unlinks a device (all of them when none is named): it is forgotten and its live socket is told.
   * @throws {Error} when the named device is not linked to this account
   */
  unlink(device?: DeviceInfo | string): Promise<void>;
}

/** Options of `startGateway`. */
export interface GatewayOptions {
  /** TCP port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** Port of the HTTP control API; 0 takes a free one; none at all when omitted. */
  readonly controlPort?: number;
  /** When given, refs expire by the clock; otherwise they live as long as their connection. */
  readonly refLife?: RefLife;
  /**
   * How many pre-keys a new device is said to have. At 0, the default and WhatsApp's own word, Baileys uploads 812
   * at its first login; at any other number up to 5 it uploads 5, and the login costs half.
   */
  readonly newDevicePreKeys?: number;
  /** The clock, in milliseconds UTC, for refs and timestamps. */
  readonly now?: () => number;
}

/** What imperative faults act on: a phone number, a device jid, a connection id, or the objects themselves. */
export type Target = string | number | Phone | DeviceInfo;

/** A running WhatsApp server. */
export interface Gateway extends AsyncDisposable {
  /** `ws://127.0.0.1:PORT/ws/chat` */
  readonly url: string;
  /** `http://127.0.0.1:PORT`, or null without a control port. */
  readonly controlUrl: string | null;
  /** The key that certificate chains are checked against: hex, 32 bytes. */
  readonly rootKey: string;
  readonly connections: readonly ConnectionInfo[];
  readonly stats: Readonly<GatewayStats>;
  /** Whether it listens: false between `goDown()` and `comeBack()`, and after `stop()`. */
  readonly listening: boolean;
  readonly faults: {
    /** @throws {TypeError} when the rule makes no sense */
    add(rule: FaultRule): FaultHandle;
    clear(): void;
  };
  /**
   * The phone with this number, made when it is new; a random number when omitted.
   * @throws {TypeError} when it is not E.164
   */
  phone(number?: string): Phone;
  phones(): Phone[];
  device(jid: string): DeviceInfo | undefined;
  devices(): DeviceInfo[];

  /** Stops listening and cuts every connection; accounts and devices stay. */
  goDown(): Promise<void>;
  /** Listens again on the same port. */
  comeBack(): Promise<void>;
  /** Drops every connection; returns how many. New ones are welcome at once. */
  dropAll(how?: DropStyle): number;
  /** Drops the target's connections; returns how many. */
  drop(target: Target, how?: DropStyle): number;
  /** Sends a stream error to the target's connections and closes them; returns how many. */
  streamError(target: Target, error: StreamErrorSpec): number;
  /** The target's connections stay open, but nothing is heard from this side again; returns how many. */
  silence(target: Target): number;
  /** Sends the target's connections a frame that cannot be decrypted; returns how many. */
  garble(target: Target): number;
  /** Sends the target's connections a node; returns how many. */
  notify(target: Target, node: BinaryNode): number;

  /** Forgets every fault and whatever was counted; phones, devices and connections stay. */
  startOver(): void;
  /**
   * Resolves with the next (or the nth from now) event of this kind.
   * @throws {Error} after `timeoutMs` without it, or when the gateway stops
   */
  when(kind: EventKind, filter?: EventFilter): Promise<GatewayEvent>;
  /** Calls the listener with every event; returns what unsubscribes it. */
  on(listener: (event: GatewayEvent) => void): () => void;
  /** Ends everything. Idempotent. */
  stop(): Promise<void>;
}
