/**
 * A WhatsApp account, and what its phone can scan.
 * @module
 */
import type { SigningKey } from "./keys.ts";
import type { PairingText } from "./qr.ts";
import type { ScanResult } from "./types.ts";

/** The account that a scanning phone stands for. */
export interface Account {
  /** E.164. */
  readonly number: string;
  readonly lidUser: string;
  readonly key: SigningKey;
  readonly requiresPasskey: boolean;
  /** The number of the next device. */
  takeDeviceIndex(): number;
}

/** A client that shows QRs. */
export interface Scannable {
  /**
   * A phone scans one of its refs.
   * @throws {Error} when the QR's keys are not this client's, or its signature turns out wrong
   */
  scan(account: Account, text: PairingText): Promise<ScanResult>;
}
