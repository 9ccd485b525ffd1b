import type { DeviceInfo } from "./types.ts";

/** The connection through which a device is logged in, as far as its record needs to know it. */
export interface DeviceLink {
  readonly isOpen: boolean;
  readonly isOnline: boolean;
  /** Another login took the device over: says so and closes. */
  replace(): void;
  /** The device was removed: says so and closes. */
  expel(): void;
}

/** A linked device. */
export class Device implements DeviceInfo {
  readonly jid: string;
  readonly lid: string;
  readonly phone: string;
  /** The only noise key that may log in as this device. */
  readonly noiseKey: Uint8Array;
  preKeys: number;
  logins = 0;
  removed = false;
  link: DeviceLink | null = null;

  constructor(init: { jid: string; lid: string; phone: string; noiseKey: Uint8Array; preKeys: number }) {
    this.jid = init.jid;
    this.lid = init.lid;
    this.phone = init.phone;
    this.noiseKey = init.noiseKey;
    this.preKeys = init.preKeys;
  }

  get online(): boolean {
    return this.link?.isOnline ?? false;
  }

  /** Forgets the device and tells its live socket. */
  remove(): void {
    this.removed = true;
    this.link?.expel();
  }

  toJSON(): DeviceInfo {
    const { jid, lid, phone, preKeys, logins, removed, online } = this;
    return { jid, lid, phone, preKeys, logins, removed, online };
  }
}

/** The jid of an account's nth device. @param number E.164 */
export function deviceJid(number: string, index: number): string {
  return `${number.slice(1)}:${index}@s.whatsapp.net`;
}
