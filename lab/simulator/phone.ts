import { randomInt } from "node:crypto";
import type { Device } from "./devices.ts";
import { SigningKey } from "./keys.ts";
import type { Account } from "./account.ts";
import { parsePairingText, readQrImage } from "./qr.ts";
import type { DeviceInfo, Phone, ScanResult } from "./types.ts";
import type { World } from "./world.ts";

const E164 = /^\+[1-9]\d{6,14}$/;

/** A phone with WhatsApp on it. */
export class SimulatedPhone implements Phone, Account {
  readonly number: string;
  readonly lidUser = `1${randomDigits(14)}`;
  readonly key = new SigningKey();
  requiresPasskey = false;
  readonly #world: World;
  // 0 is the phone itself.
  #nextDevice = 1;

  /** @throws {TypeError} when the number is not E.164 */
  constructor(number: string, world: World) {
    if (!E164.test(number)) throw new TypeError(`'${number}' is no E.164 phone number`);
    this.number = number;
    this.#world = world;
  }

  get devices(): readonly DeviceInfo[] {
    return this.#linked();
  }

  async scan(qrString: string): Promise<ScanResult> {
    return await this.scanText(readQrImage(qrString));
  }

  async scanText(pairingText: string): Promise<ScanResult> {
    const text = parsePairingText(pairingText);
    const found = this.#world.refs.look(text.ref);
    if (found.state !== "live") return { outcome: found.state };
    return await found.holder.scan(this, text);
  }

  unlink(device?: DeviceInfo | string): Promise<void> {
    const jid = typeof device === "object" ? device.jid : device;
    const gone = this.#linked().filter((linked) => jid === undefined || linked.jid === jid);
    if (jid !== undefined && gone.length === 0) {
      return Promise.reject(new Error(`${jid} is not linked to ${this.number}`));
    }
    for (const linked of gone) {
      this.#world.stats.unlinks++;
      linked.remove();
      this.#world.tell("unlinked", { id: 0, phone: this.number, deviceJid: linked.jid });
    }
    return Promise.resolve();
  }

  takeDeviceIndex(): number {
    return this.#nextDevice++;
  }

  toJSON(): Pick<Phone, "number" | "requiresPasskey" | "devices"> {
    const { number, requiresPasskey, devices } = this;
    return { number, requiresPasskey, devices };
  }

  #linked(): Device[] {
    return [...this.#world.devices.values()].filter((device) =>
      device.phone === this.number && !device.removed
    );
  }
}

/** A number that no phone has: E.164, Argentina's range. */
export function randomNumber(): string {
  return `+54911${randomDigits(8)}`;
}

function randomDigits(count: number): string {
  return Array.from({ length: count }, () => randomInt(10)).join("");
}
