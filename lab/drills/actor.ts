/**
 * One instance of a drill: its phone, what is at stake for it, and what has happened to it.
 * @module
 */
import type { SessionView } from "@session-manager/contract";
import type { GatewayEvent, Phone } from "../simulator/mod.ts";

/** What is at stake for an instance. Devices are jids. */
export type Standing =
  /** Nothing. */
  | { readonly kind: "unlinked" }
  /** A QR was asked for at `since`. `device`: what WhatsApp has accepted, if it has. */
  | { readonly kind: "pairing"; readonly since: number; readonly device: string | null }
  /**
   * The front door has said `connecting` or `connected`: from now on the link has to survive, provided that WhatsApp
   * has a device.
   */
  | { readonly kind: "linked"; readonly device: string | null }
  /** Somebody is unlinking it. `answered`: the service has confirmed it. */
  | {
    readonly kind: "leaving";
    readonly by: "phone" | "event";
    readonly device: string | null;
    readonly answered: boolean;
  };

/** By what the front door says that there is a link. */
export type LinkWord = "connecting" | "connected";

function newWords(): Record<LinkWord, PromiseWithResolvers<void>> {
  return { connecting: Promise.withResolvers(), connected: Promise.withResolvers() };
}

/** Events of the gateway that a story tells; the others say nothing of a link. */
const TOLD: ReadonlySet<string> = new Set([
  "scanned",
  "paired",
  "login",
  "online",
  "overlap",
  "failure",
  "logout",
  "unlinked",
  "closed",
]);

/** How much of a story is kept, in lines. */
const KEPT_LINES = 120;

export class Actor {
  readonly instanceId: string;
  readonly phone: Phone;
  standing: Standing = { kind: "unlinked" };
  #words = newWords();
  #story: { at: number; text: string }[] = [];
  #lastWord = "";

  constructor(instanceId: string, phone: Phone) {
    this.instanceId = instanceId;
    this.phone = phone;
  }

  /** The device in use, as far as it is known. */
  get device(): string | null {
    return this.standing.kind === "unlinked" ? null : this.standing.device;
  }

  /** A QR is about to be asked for. */
  beginPairing(): void {
    this.#words = newWords();
    this.standing = { kind: "pairing", since: performance.now(), device: null };
    this.tell("a QR is asked for");
  }

  /** Resolves when the front door first says this of the pairing that is about to begin, or has begun. */
  firstWordOf(status: LinkWord): Promise<void> {
    return this.#words[status].promise;
  }

  /**
   * The front door says something.
   * @param askedAt on `performance.now()`: an answer may have been overtaken by what was done in the meantime
   */
  hear({ status, qr_status }: SessionView, askedAt: number): void {
    const word = `${status}/${qr_status}`;
    if (word !== this.#lastWord) this.tell(`the front door says ${word}`);
    this.#lastWord = word;
    const { standing } = this;
    if (status !== "connecting" && status !== "connected") return;
    if (standing.kind === "pairing" && askedAt >= standing.since) {
      this.standing = { kind: "linked", device: standing.device };
    }
    if (this.standing.kind === "linked") this.#words[status].resolve();
  }

  /** Something happens at the gateway. */
  witness({ kind, device, connection, code }: GatewayEvent): void {
    if (TOLD.has(kind)) {
      const which = [device, `connection ${connection}`, code].filter((part) => part != null).join(", ");
      this.tell(`gateway: ${kind} (${which})`);
    }
    const { standing } = this;
    const isOpen = standing.kind === "pairing" || standing.kind === "linked";
    if (kind === "paired" && isOpen && standing.device === null) this.standing = { ...standing, device };
  }

  tell(text: string): void {
    this.#story.push({ at: performance.now(), text });
    if (this.#story.length > KEPT_LINES) this.#story.shift();
  }

  /** What has happened, oldest first. @param since moments are told from here: by `performance.now()` */
  story(since: number): string {
    const lines = this.#story.map(({ at, text }) =>
      `  ${String(Math.round(at - since)).padStart(8)} ms  ${text}`
    );
    return [`${this.instanceId}, ${this.phone.number}, ${JSON.stringify(this.standing)}`, ...lines].join(
      "\n",
    );
  }
}
