/**
 * One session under chaos: what WhatsApp knows to be true of it, and what has been done to it.
 * @module
 */
import type { SessionStatus } from "@session-manager/contract";
import type { SessionView } from "@session-manager/contract";
import type { Gateway, GatewayEvent, Phone } from "../simulator/mod.ts";

/** Something that was done, and when, on `performance.now()`. */
export interface Strike {
  readonly fault: string;
  readonly at: number;
}

/** Login failures after which a login is not used again. */
const FATAL_CODES: ReadonlySet<number> = new Set([403, 405, 411, 440]);
/** How many strikes are remembered, to say what a lie was about. */
const REMEMBERED = 12;
/** How much of a story is kept, in lines. */
const STORY_LINES = 60;

export class Subject {
  readonly instanceId: string;
  readonly phone: Phone;
  readonly strikes: Strike[] = [];
  /** What the front door said last. */
  lastView: SessionView | null = null;
  /** When that was asked for, on `performance.now()`. */
  lastAskedAt = -Infinity;
  /** Since when the front door has been saying whether it is connected, as it does now, on `performance.now()`. */
  saidSince = performance.now();
  /** An operation on it is under way; the next one waits. */
  isBusy = false;
  /**
   * Since when HTTP repeats what a trusted part of the system said: `connected`, while no device was online.
   * Infinite while that part is still saying it, or what it said may still have to be carried out.
   */
  toldSince: number | null = null;
  /** The same, by a rule that may still strike. */
  isDoomed = false;
  /** Since when a device of it has been online and responsive; null while none is. */
  liveSince: number | null = null;
  /** Since when none is, or was the last time. */
  lostAt = performance.now();
  /** The device of the last pairing, once it has logged in with the stored credentials. */
  held: string | null = null;
  /** What ended that link, if anything did. */
  ended: string | null = null;
  /** The phone removed the held device, and nothing has been done to the session since. */
  isFreshlyUnlinked = false;
  readonly #gateway: Gateway;
  #fatalSince: number | null = null;
  /** When the front door was last asked and said `error`. */
  #errorAskedAt = -Infinity;
  /** Connections that are open and of which the client hears nothing intelligible any more. */
  readonly #dead = new Set<number>();
  #paired: string | null = null;
  /** Devices that the product leaves alone: WhatsApp has denied them, be it wrongly, or another client uses them. */
  readonly #denied = new Set<string>();
  readonly #story: string[] = [];

  constructor(instanceId: string, gateway: Gateway) {
    this.instanceId = instanceId;
    this.#gateway = gateway;
    this.phone = gateway.phone();
  }

  /** A fault struck that only a human mends, so that `error` is what it has to become. */
  get isFatal(): boolean {
    return this.#fatalSince !== null;
  }

  set isFatal(isFatal: boolean) {
    this.#fatalSince = isFatal ? performance.now() : null;
  }

  get isLive(): boolean {
    return this.liveSince !== null;
  }

  /** Whether its link is one that has to come back whatever happens to the connection. */
  get mustReturn(): boolean {
    return this.held !== null && this.ended === null && !this.isFatal && !this.isDoomed;
  }

  /** Notes that something is done to it. */
  strike(fault: string): void {
    this.isFreshlyUnlinked = false;
    this.strikes.push({ fault, at: performance.now() });
    if (this.strikes.length > REMEMBERED) this.strikes.shift();
    this.tell(`struck: ${fault}`);
  }

  /** Its open connections are dead from now on, as far as the client can tell. */
  deaden(): void {
    for (const { id } of this.#connections()) this.#dead.add(id);
    this.look();
  }

  end(cause: string): void {
    if (this.held !== null || this.#paired !== null) this.ended ??= cause;
  }

  /** Something happened to it at the gateway. */
  witness({ kind, device, connection, code }: GatewayEvent): void {
    this.tell(
      `gateway: ${kind} ${[device, `#${connection}`, code].filter((part) => part != null).join(" ")}`,
    );
    switch (kind) {
      case "paired":
        this.#paired = device;
        this.held = null;
        this.ended = null;
        break;
      case "online":
        if (device === this.#paired) this.held = device;
        this.toldSince = null;
        break;
      case "unlinked":
        this.isFreshlyUnlinked = device === this.held && this.ended === null;
        if (this.#isOfLink(device)) this.end("unlinked");
        break;
      case "logout":
        if (this.#isOfLink(device)) this.end("logged out");
        break;
      case "failure":
        if (code === 401 && device !== null) this.#denied.add(device);
        if (!this.#isOfLink(device)) break;
        if (FATAL_CODES.has(code ?? 0)) this.isFatal = true;
        if (code === 401 || FATAL_CODES.has(code ?? 0)) this.end(`failure ${code}`);
        break;
    }
    this.look();
  }

  /** WhatsApp has said that another client uses the login of the link. */
  contest(): void {
    for (const device of [this.held, this.#paired]) if (device !== null) this.#denied.add(device);
  }

  /** Devices that are linked on the phone, but for those that the product leaves alone. */
  get devices(): readonly string[] {
    return this.phone.devices.map(({ jid }) => jid).filter((jid) => !this.#denied.has(jid));
  }

  /** Whether this is the device of the last pairing, or of one that is still to come; others are being unlinked. */
  #isOfLink(device: string | null): boolean {
    return device === null || device === this.#paired || device === this.held;
  }

  /** Looks again whether a device of it is online. */
  look(): void {
    const isLive = this.#connections().some(({ id, state, deviceJid }) =>
      state === "online" && !this.#dead.has(id) && this.#gateway.device(deviceJid ?? "")?.online === true
    );
    if (isLive === this.isLive) return;
    const now = performance.now();
    this.liveSince = isLive ? now : null;
    if (!isLive) this.lostAt = now;
    this.tell(isLive ? "is live" : "is lost");
  }

  /**
   * The front door said something.
   * @returns what must not be: an `error` that nothing called for
   */
  hear(view: SessionView, askedAt: number): string | null {
    const was: SessionStatus | undefined = this.lastView?.status;
    if (was !== view.status || this.lastView?.qr_status !== view.qr_status) {
      this.tell(`HTTP: ${view.status}/${view.qr_status}`);
    }
    const isNews = this.lastView === null || (was === "connected") !== (view.status === "connected");
    if (isNews) this.saidSince = askedAt;
    this.lastView = view;
    this.lastAskedAt = askedAt;
    if (view.status !== "connected" && this.toldSince !== null && askedAt > this.toldSince) {
      this.toldSince = null;
    }
    if (view.status === "error" && was !== "error" && !this.isFatal && !this.isDoomed) {
      return `${this.instanceId} is in error, and nothing unrecoverable has struck it`;
    }
    if (view.status === "error") this.#errorAskedAt = askedAt;
    // Out of the error; but the next fatal fault may have been on its way already.
    else if (was === "error" && (this.#fatalSince ?? Infinity) < this.#errorAskedAt) this.isFatal = false;
    return null;
  }

  /** The last thing done to it before this instant. */
  blame(at: number): Strike | null {
    return this.strikes.findLast((strike) => strike.at <= at) ?? null;
  }

  tell(line: string): void {
    this.#story.push(`${Math.round(performance.now())} ms  ${line}`);
    if (this.#story.length > STORY_LINES) this.#story.shift();
  }

  /** What happened to it, oldest first. */
  get story(): string {
    return [`${this.instanceId}, ${this.phone.number}:`, ...this.#story].join("\n    ");
  }

  #connections() {
    return this.#gateway.connections.filter(({ phone }) => phone === this.phone.number);
  }
}
