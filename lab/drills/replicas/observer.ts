/**
 * What is seen from outside while a drill goes on: every answer through the balancer beside what WhatsApp knows at
 * that moment.
 * @module
 */
import type { Hub } from "../../hub.ts";
import type { Gateway, GatewayEvent, Phone } from "../../simulator/mod.ts";
import { pause } from "../random.ts";

/** How long between two calls, in milliseconds. */
const PAUSE_MS = 20;

/** A linked session of a drill. */
export interface Linked {
  readonly instanceId: string;
  readonly phone: Phone;
}

/** What was seen during one scene. */
export interface Sighting {
  calls: number;
  /** Not answered, or with a status of 500 and above. */
  failed: number;
  /** How long `connected` was said of a session without a connection, at the longest; milliseconds. */
  longestLieMs: number;
  /** Logins of a device whose earlier connection was open. */
  overlaps: number;
  /** Those of them whose earlier connection belonged to a process that was stopped. */
  overFrozen: number;
}

export class Observer {
  readonly #hub: Hub;
  readonly #gateway: Gateway;
  readonly #sessions: readonly Linked[];
  readonly #off: () => void;
  /** Since when each number has had no connection that is logged in. */
  readonly #offlineSince = new Map<string, number>();
  /** Numbers whose connections belong to a process that is stopped. */
  #frozen: ReadonlySet<string> = new Set();
  #sighting = blank();
  #stopped = false;
  #resting = false;
  readonly #looking: Promise<void>;

  constructor(hub: Hub, gateway: Gateway, sessions: readonly Linked[]) {
    this.#hub = hub;
    this.#gateway = gateway;
    this.#sessions = sessions;
    this.#off = gateway.on((event) => this.#witness(event));
    this.#looking = this.#look();
  }

  /** Begins a new scene. @returns what was seen in the last one */
  turnPage(): Sighting {
    const seen = this.#sighting;
    this.#sighting = blank();
    return seen;
  }

  /** From now on connections of these numbers belong to a process that is stopped. */
  freeze(numbers: Iterable<string>): void {
    this.#frozen = new Set(numbers);
  }

  /** Asks nothing for a while. */
  rest(): void {
    this.#resting = true;
  }

  goOn(): void {
    this.#resting = false;
  }

  /** Whether every session is logged in, and HTTP says so. */
  async isAllBack(): Promise<boolean> {
    if (!this.#sessions.every(({ phone }) => this.#isOnline(phone))) return false;
    const answers = await Promise.all(
      this.#sessions.map(({ instanceId }) => this.#hub.get(instanceId).catch(() => null)),
    );
    return answers.every((answer) =>
      answer?.status === 200 && (answer.body as { status: string }).status === "connected"
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#off();
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      await pause(PAUSE_MS);
      const session = this.#sessions[i % this.#sessions.length];
      if (session !== undefined && !this.#resting) void this.#ask(session);
    }
  }

  async #ask({ instanceId, phone }: Linked): Promise<void> {
    const sighting = this.#sighting;
    const asked = performance.now();
    sighting.calls++;
    const answer = await this.#hub.get(instanceId).catch(() => null);
    if (answer === null || answer.status >= 500) {
      sighting.failed++;
      return;
    }
    const since = this.#offlineSince.get(phone.number);
    const isLie = (answer.body as { status?: string }).status === "connected" && since !== undefined &&
      since < asked;
    if (isLie) sighting.longestLieMs = Math.max(sighting.longestLieMs, asked - since);
  }

  #witness({ kind, phone }: GatewayEvent): void {
    if (phone === null) return;
    if (kind === "login") this.#offlineSince.delete(phone);
    if (kind === "closed" && !this.#gateway.phone(phone).devices.some(({ online }) => online)) {
      this.#offlineSince.set(phone, performance.now());
    }
    if (kind !== "overlap") return;
    if (this.#frozen.has(phone)) this.#sighting.overFrozen++;
    else this.#sighting.overlaps++;
  }

  #isOnline(phone: Phone): boolean {
    return phone.devices.some(({ online }) => online);
  }
}

function blank(): Sighting {
  return { calls: 0, failed: 0, longestLieMs: 0, overlaps: 0, overFrozen: 0 };
}
