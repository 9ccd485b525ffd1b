/**
 * The order in which a socket's events and requests can come. A well-formed one can still make no sense: a login that
 * shows a QR, a pairing that is connected, an end after the end.
 * @module
 */
import type { Purpose, SocketEvent, SocketRequest } from "../sessions/ports/sockets.ts";

/** Everything that a socket tells or asks, and that its connection is down. */
export type SocketStep = SocketEvent | SocketRequest | { readonly type: "gone" };

/**
 * Where a socket is: `pairing` and `login` from its opening on, `scanned` while its new login is being stored, `stored`
 * afterwards; `unlinking` where that is all it is for; `ended` after `closed`, `gone` once its connection is down.
 */
type Stage = "pairing" | "scanned" | "stored" | "login" | "connected" | "unlinking" | "ended" | "gone";

const FIRST: Readonly<Record<Purpose["kind"], Stage>> = {
  pair: "pairing",
  login: "login",
  unlink: "unlinking",
};

/** In which stages each step makes sense, besides its own conditions. */
const ALLOWED: Readonly<Record<SocketStep["type"], readonly Stage[]>> = {
  qr: ["pairing"],
  passkey_demanded: ["pairing"],
  paired: ["pairing"],
  identified: ["login", "unlinking"],
  connected: ["login"],
  // Baileys may ask once more while its socket ends.
  load_keys: ["stored", "login", "connected", "ended"],
  save_keys: ["stored", "login", "connected", "ended"],
  closed: ["pairing", "scanned", "stored", "login", "connected", "unlinking"],
  gone: ["ended"],
};

/** Checks that the events and requests of one socket come in an order that is possible. */
export class SocketSequence {
  #stage: Stage;
  #isClosing = false;
  #lastQr = -1;
  #jid: string | null = null;

  constructor(purpose: Purpose["kind"]) {
    this.#stage = FIRST[purpose];
  }

  /** Notes that the new login is durable: from now on its keys may be asked for. */
  markStored(): void {
    if (this.#stage === "scanned") this.#stage = "stored";
  }

  /**
   * Notes that the socket was told to close: what it sends until it learns of that is ignored, and so may come in any
   * order.
   */
  markClosing(): void {
    this.#isClosing = true;
  }

  /** Takes a step. @returns false when it cannot come next */
  allows(step: SocketStep): boolean {
    if (this.#stage === "gone") return false;
    if (this.#isClosing) {
      if (step.type === "gone") this.#stage = "gone";
      return true;
    }
    return ALLOWED[step.type].includes(this.#stage) && this.#follows(step);
  }

  #follows(step: SocketStep): boolean {
    switch (step.type) {
      case "qr":
        if (step.ordinal <= this.#lastQr) return false;
        this.#lastQr = step.ordinal;
        return true;
      case "paired":
        this.#stage = "scanned";
        return true;
      case "identified":
        if (this.#jid !== null) return false;
        this.#jid = step.jid;
        return true;
      case "connected":
        this.#stage = "connected";
        return this.#jid === step.jid;
      case "closed":
        this.#stage = "ended";
        return true;
      case "gone":
        this.#stage = "gone";
        return true;
      case "passkey_demanded":
      case "load_keys":
      case "save_keys":
        return true;
      default:
        return step satisfies never;
    }
  }
}
