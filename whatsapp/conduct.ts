/**
 * What a socket may say next. A report that is well-formed can still make no sense: a login that shows a QR, a pairing
 * that is connected, an end after the end.
 * @module
 */
import type { Purpose } from "../sessions/ports/sockets.ts";
import type { Report } from "./protocol.ts";

/** What concerns one socket. */
export type SocketReport = Extract<Report, { socket: number }>;

/**
 * Where a socket is: `pairing` and `login` from its opening on, `scanned` while its new login is being kept, `kept`
 * afterwards; `unlinking` where that is all it is for; `ended` once it has told its end, `gone` once it is down.
 */
type Stage = "pairing" | "scanned" | "kept" | "login" | "connected" | "unlinking" | "ended" | "gone";

const FIRST: Readonly<Record<Purpose["kind"], Stage>> = {
  pair: "pairing",
  login: "login",
  unlink: "unlinking",
};

/** In which stages each report makes sense, besides its own conditions. */
const ALLOWED: Readonly<Record<SocketReport["type"], readonly Stage[]>> = {
  qr: ["pairing"],
  passkey_demanded: ["pairing"],
  paired: ["pairing"],
  identified: ["login", "unlinking"],
  connected: ["login"],
  // Baileys may ask once more while its socket ends.
  load: ["kept", "login", "connected", "ended"],
  save: ["kept", "login", "connected", "ended"],
  closed: ["pairing", "scanned", "kept", "login", "connected", "unlinking"],
  gone: ["ended"],
};

export class Conduct {
  #stage: Stage;
  #isTold = false;
  #lastQr = -1;
  #jid: string | null = null;

  constructor(purpose: Purpose["kind"]) {
    this.#stage = FIRST[purpose];
  }

  /** The new login is durable: its keys may be asked for. */
  kept(): void {
    if (this.#stage === "scanned") this.#stage = "kept";
  }

  /** The socket was told to close: what it has said until it hears of it is on its way, and means nothing. */
  told(): void {
    this.#isTold = true;
  }

  /** Takes note of a report. @returns whether it makes sense where this socket is */
  permits(report: SocketReport): boolean {
    if (this.#stage === "gone") return false;
    if (this.#isTold) {
      if (report.type === "gone") this.#stage = "gone";
      return true;
    }
    return ALLOWED[report.type].includes(this.#stage) && this.#follows(report);
  }

  #follows(report: SocketReport): boolean {
    switch (report.type) {
      case "qr":
        if (report.ordinal <= this.#lastQr) return false;
        this.#lastQr = report.ordinal;
        return true;
      case "paired":
        this.#stage = "scanned";
        return true;
      case "identified":
        if (this.#jid !== null) return false;
        this.#jid = report.jid;
        return true;
      case "connected":
        this.#stage = "connected";
        return this.#jid === report.jid;
      case "closed":
        this.#stage = "ended";
        return true;
      case "gone":
        this.#stage = "gone";
        return true;
      case "passkey_demanded":
      case "load":
      case "save":
        return true;
      default:
        return report satisfies never;
    }
  }
}
