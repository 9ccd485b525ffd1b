/**
 * What a connection does once the client has said who it is, and what it has of its connection for that.
 * @module
 */
import type { BinaryNode } from "@whiskeysockets/baileys";
import type { Channel } from "./channel.ts";
import type { DropStyle, StreamErrorSpec } from "./endings.ts";
import type { FaultSubject } from "./faults.ts";
import type { ConnectionInfo } from "./types.ts";
import type { World } from "./world.ts";

/** What a connection does once the client said who it is. */
export interface Stage {
  start(): void;
  onNode(node: BinaryNode): void;
  onClosed(): void;
}

/** A connection, from the side of its stage, which tells it who the client is and how far it has come. */
export interface StagedConnection extends ConnectionInfo {
  readonly channel: Channel;
  readonly world: World;
  state: ConnectionInfo["state"];
  phone: string | null;
  deviceJid: string | null;
  kind: FaultSubject["kind"];
  /** What faults may match. */
  readonly subject: FaultSubject;
  /** Ends a login or a registration with `<failure>`. */
  fail(code: number): void;
  /** Says what is wrong and closes. */
  streamError(error: StreamErrorSpec): void;
  drop(how?: DropStyle): void;
  /**
   * Strikes with `failure` or `downgrade` if a fault says so.
   * @returns whether the connection ended that way
   */
  isTurnedAway(): boolean;
  /** Waits as long as a fault wants; false when the connection is gone by then. */
  waitAt(stage: "handshake" | "pairing" | "success" | "515" | "iq"): Promise<boolean>;
}
