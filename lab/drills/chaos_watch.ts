/**
 * Eyes on both sides: what HTTP says of each session, held against what WhatsApp knows at that moment.
 * @module
 */
import type { ConnectionInfo, Gateway, GatewayEvent } from "../simulator/mod.ts";
import type { FrontDoor } from "./chaos_front_door.ts";
import { Ledger, type LieKind } from "./chaos_ledger.ts";
import { QrBook } from "./chaos_qrs.ts";
import { inTurns } from "./chaos_stage.ts";
import type { Strike, Subject } from "./chaos_subject.ts";
import { pause } from "./random.ts";

/** How long each kind of lie may last, in milliseconds. */
export type LieBounds = Readonly<Record<LieKind, number>> & {
  /** How long a worker that hangs may go unnoticed: added where one hangs while a lie lasts. */
  readonly hangMs: number;
  /**
   * How long a worker that hangs keeps its connections, given up or not. HTTP is right to say that they are
   * no use, while WhatsApp still sees them: added to `absent`.
   */
  readonly unendedMs: number;
};

const HANG = "worker: hang";

/** How many sessions are asked after at once. */
const AT_ONCE = 4;
/** How long the watch rests between two rounds, in milliseconds. */
const REST_MS = 40;
/** How often the clock of this thread is looked at, to tell its own delays from the product's. */
const BEAT_MS = 25;

export class Watch {
  readonly #gateway: Gateway;
  readonly #door: FrontDoor;
  readonly #subjects: readonly Subject[];
  readonly #byPhone: ReadonlyMap<string, Subject>;
  readonly #ledger: Ledger;
  readonly #bounds: LieBounds;
  readonly #qrs: QrBook;
  readonly #strikesOnAll: Strike[] = [];
  readonly #off: () => void;
  readonly #beat: ReturnType<typeof setInterval>;
  #rounds: Promise<void> | null = null;
  #stopped = false;
  #longestStallMs = 0;

  constructor(
    parts: {
      gateway: Gateway;
      door: FrontDoor;
      subjects: readonly Subject[];
      ledger: Ledger;
      bounds: LieBounds;
    },
  ) {
    this.#gateway = parts.gateway;
    this.#door = parts.door;
    this.#subjects = parts.subjects;
    this.#byPhone = new Map(parts.subjects.map((subject) => [subject.phone.number, subject]));
    this.#ledger = parts.ledger;
    this.#bounds = parts.bounds;
    this.#qrs = new QrBook(parts.gateway);
    this.#off = parts.gateway.on((event) => this.#witness(event));
    let last = performance.now();
    this.#beat = setInterval(() => {
      const now = performance.now();
      this.#longestStallMs = Math.max(this.#longestStallMs, now - last - BEAT_MS);
      last = now;
    }, BEAT_MS);
  }

  /**
   * The longest time for which this thread did nothing at all, in milliseconds. On it run the service, the
   * gateway and whoever asks, so nothing that is measured here is more exact.
   */
  get longestStallMs(): number {
    return this.#longestStallMs;
  }

  /** Notes something that was done to all sessions. */
  strikeAll(fault: string): void {
    this.#strikesOnAll.push({ fault, at: performance.now() });
  }

  /** Begins the rounds over all sessions. */
  start(): void {
    this.#rounds = this.#goRound();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#rounds;
    this.#off();
    clearInterval(this.#beat);
  }

  /** One look at one session. */
  async look(subject: Subject): Promise<void> {
    const { body, askedAt } = await this.#door.read(subject.instanceId);
    if (body === null) return;
    const wrong = subject.hear(body, askedAt);
    if (wrong !== null) this.#ledger.violate(`${wrong}\n    ${subject.story}`);
    const { liveSince, lostAt, saidSince } = subject;
    if (body.status === "connected" && liveSince === null && subject.toldSince === null) {
      this.#lie("connected", subject, Math.max(lostAt, saidSince), askedAt);
    }
    if (body.status !== "connected" && liveSince !== null) {
      this.#lie("absent", subject, Math.max(liveSince, saidSince), askedAt);
    }
    if (body.qr_string === null) return this.#qrs.withdraw(subject);
    const deadSince = await this.#qrs.show(subject, body.qr_string);
    if (deadSince !== null) this.#lie("qr", subject, deadSince, askedAt);
  }

  async #goRound(): Promise<void> {
    while (!this.#stopped) {
      await inTurns(this.#subjects, AT_ONCE, (subject) => this.look(subject));
      await pause(REST_MS);
    }
  }

  #lie(kind: LieKind, subject: Subject, since: number, until: number): void {
    if (until <= since) return; // asked before it became untrue
    const lie = {
      kind,
      fault: this.#blame(subject, since),
      who: subject.instanceId,
      since,
      ms: until - since,
      boundMs: this.#bounds[kind] + this.#allowance(kind, since, until) + this.#longestStallMs,
    };
    this.#ledger.lie(lie, () => subject.story);
  }

  /** A worker that hangs finds no socket dead, and lets none go. */
  #allowance(kind: LieKind, since: number, until: number): number {
    const { hangMs, unendedMs } = this.#bounds;
    const extraMs = kind === "absent" ? unendedMs : hangMs;
    const isHit = this.#strikesOnAll.some(({ fault, at }) =>
      fault === HANG && at >= since - extraMs && at <= until
    );
    return isHit ? extraMs : 0;
  }

  /** The last thing done to the session, or to all, before this instant. */
  #blame(subject: Subject, at: number): string {
    const own = subject.blame(at);
    const common = this.#strikesOnAll.findLast((strike) => strike.at <= at);
    if (own === null || (common !== undefined && common.at > own.at)) return common?.fault ?? "nothing";
    return own.fault;
  }

  #witness(event: GatewayEvent): void {
    if (event.phone !== null) this.#byPhone.get(event.phone)?.witness(event);
    if (event.kind === "closed") void this.#qrs.lookAtAll();
    if (event.kind === "handshake" && this.#isDouble(event)) {
      const story = this.#byPhone.get(event.phone ?? "")?.story;
      this.#ledger.violate(`a second connection of ${event.device}\n    ${story}`);
    }
  }

  /** Whether a login arrives while another connection of its device is there, if only to go down. */
  #isDouble({ device }: GatewayEvent): boolean {
    const isLogin = ({ state, deviceJid }: ConnectionInfo) =>
      deviceJid === device && (state === "login" || state === "online");
    return device !== null && this.#gateway.connections.filter(isLogin).length > 1;
  }
}
