/**
 * Whether the QRs that HTTP shows can still be scanned. A ref is asked after with keys that are not the
 * client's, which the gateway refuses without using it up: refused, it lives; otherwise its connection is gone.
 * @module
 */
import type { Gateway, Phone } from "../simulator/mod.ts";
import { readQrImage } from "../simulator/qr.ts";
import type { Subject } from "./chaos_subject.ts";

/** A QR that HTTP has shown, and since when it cannot be scanned, on `performance.now()`. */
interface Shown {
  readonly picture: string;
  readonly probe: string;
  deadSince: number | null;
}

export class QrBook {
  readonly #gateway: Gateway;
  readonly #prober: Phone;
  readonly #shown = new Map<Subject, Shown>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#prober = gateway.phone();
  }

  /** Forgets what is shown for it: HTTP shows nothing any more. */
  withdraw(subject: Subject): void {
    this.#shown.delete(subject);
  }

  /**
   * HTTP shows this.
   * @returns since when the QR has been dead; null while it lives
   */
  async show(subject: Subject, picture: string): Promise<number | null> {
    let shown = this.#shown.get(subject);
    if (shown?.picture !== picture) {
      shown = { picture, probe: withOtherKeys(readQrImage(picture)), deadSince: null };
      this.#shown.set(subject, shown);
      await this.#probe(subject, shown);
    }
    return shown.deadSince;
  }

  /** A connection has closed at the gateway: some of what is shown may be dead from now on. */
  async lookAtAll(): Promise<void> {
    await Promise.all(Array.from(this.#shown, ([subject, shown]) => this.#probe(subject, shown)));
  }

  async #probe(subject: Subject, shown: Shown): Promise<void> {
    if (shown.deadSince !== null) return;
    const now = performance.now();
    let outcome;
    try {
      ({ outcome } = await this.#prober.scanText(shown.probe));
    } catch {
      return; // refused for its keys: the connection is there
    }
    // Scanned already: it is no lie for as long as that connection is there.
    if (outcome === "already_used" && this.#isPairing(subject)) return;
    shown.deadSince ??= now;
  }

  #isPairing({ phone: { number } }: Subject): boolean {
    return this.#gateway.connections.some(({ phone, state }) =>
      phone === number && (state === "pairing" || state === "paired")
    );
  }
}

/** The same pairing text with the client's two keys exchanged. */
function withOtherKeys(text: string): string {
  const [ref, noise, identity, ...rest] = text.split(",");
  return [ref, identity, noise, ...rest].join(",");
}
