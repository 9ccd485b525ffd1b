/**
 * What the routes need of the rest of the product.
 * @module
 */
import type { DisconnectReason } from "@session-manager/contract";
import type { MaybePromise } from "../sessions/ports/store.ts";
import type { QrView, SessionView } from "@session-manager/contract";

/**
 * The use cases behind the contract's endpoints. Each throws a `SessionManagerError` with a code of the
 * catalogue when it cannot do what it says.
 */
export interface Sessions {
  /** The session as it is; without a promise where it is in memory. */
  read(instanceId: string): MaybePromise<SessionView>;
  /** Its valid QR, without a promise where one is shown already, or a new one. */
  requestQr(instanceId: string): MaybePromise<QrView>;
  reportConnected(instanceId: string, phoneNumber: string): Promise<SessionView>;
  reportDisconnected(instanceId: string, reason: DisconnectReason): Promise<SessionView>;
}

/** What the operator's endpoints tell. */
export interface Operations {
  /** Whether the service can do its work now. */
  readiness(): Promise<Readiness>;
  /** Every figure, in Prometheus's text format. */
  metrics(): Promise<string>;
}

export interface Readiness {
  readonly status: "ready" | "not_ready" | "stopping";
  readonly checks: { readonly database: CheckResult; readonly workers: CheckResult };
}

export type CheckResult = "ok" | "failed";

interface LogFields {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Log {
  debug(fields: LogFields): void;
  info(fields: LogFields): void;
  error(fields: LogFields): void;
}
