/**
 * A WhatsApp server for tests, drills, benchmarks and demonstrations: it pairs, logs in and drops real clients, and
 * goes wrong on demand.
 * @module
 */
export { startGateway } from "./gateway.ts";
export type {
  ConnectionInfo,
  ConnectionState,
  DeviceInfo,
  Gateway,
  GatewayOptions,
  GatewayStats,
  Phone,
  ScanResult,
  Target,
} from "./types.ts";
export type { DropStyle, StreamErrorSpec } from "./endings.ts";
export type { EventFilter, EventKind, GatewayEvent } from "./events.ts";
export type { DelayStage, FaultAction, FaultHandle, FaultMatcher, FaultName, FaultRule } from "./faults.ts";
export type { RefLife } from "./refs.ts";
