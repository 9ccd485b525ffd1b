import type { Certificates } from "./certificates.ts";
import type { Device } from "./devices.ts";
import type { EventKind } from "./events.ts";
import type { FaultBook } from "./faults.ts";
import type { Scannable } from "./account.ts";
import type { RefBook } from "./refs.ts";
import type { ConnectionInfo, GatewayStats } from "./types.ts";

/** What every connection of a gateway shares. */
export interface World {
  readonly certificates: Certificates;
  readonly faults: FaultBook;
  readonly refs: RefBook<Scannable>;
  readonly devices: Map<string, Device>;
  readonly newDevicePreKeys: number;
  readonly stats: GatewayStats;
  /** Milliseconds, UTC. */
  now(): number;
  tell(kind: EventKind, about: Pick<ConnectionInfo, "id" | "phone" | "deviceJid">, code?: number): void;
}
