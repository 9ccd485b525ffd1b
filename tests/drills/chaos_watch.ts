/**
 * Eyes on both sides: what HTTP says of each session, held against what WhatsApp knows at that moment.
 * @module
 */
import type { Gateway, GatewayEvent } from "../gateway/mod.ts";
import type { FrontDoor } from "./chaos_front_door.ts";
import { Ledger, type LieKind } from "./chaos_ledger.ts";
import { QrBook } from "./chaos_qrs.ts";
import { inTurns } from "./chaos_stage.ts";
import type { Strike, Subject } from "./chaos_subject.ts";
import { pause } from "./random.ts";

/** How long each kind of lie may last, in milliseconds. */
export type LieBounds = Readonly<Record<LieKind, number>> & {
  /** How long a worker that died without a word may go unnoticed: added where one dies while a lie lasts. */
  readonly hangMs: number;
};

/** Calamities that end a worker without a word. */
const LETHAL: ReadonlySet<string> = new Set(["worker: close", "worker: hang"]);

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
  /** Since when two connections of one device have been there. */
  readonly #doubles = new Map<string, number>();
  readonly #off: () => void;
  readonly #beat: ReturnType<typeof setInterval>;
  #rounds: Promise<void> | null = null;
  #stopped = false;
  #longestStallMs = 0;
  #longestDoubleMs = 0;

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

  /** The longest time for which this thread did nothing at all, in milliseconds. */
  get longestStallMs(): number {
    return this.#longestStallMs;
  }

  /** The longest time for which a device had two connections, closing ones included, in milliseconds. */
  get longestDoubleMs(): number {
    return this.#longestDoubleMs;
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
      this.#lookForDoubles();
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
      boundMs: this.#bounds[kind] + this.#hangBetween(since, until),
    };
    this.#ledger.lie(lie, () => subject.story);
  }

  /** A worker that dies just before it finds a socket dead leaves that to whoever finds the worker dead. */
  #hangBetween(since: number, until: number): number {
    const { hangMs } = this.#bounds;
    const isHit = this.#strikesOnAll.some(({ fault, at }) =>
      LETHAL.has(fault) && at >= since - hangMs && at <= until
    );
    return isHit ? hangMs : 0;
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
    if (event.kind === "overlap") {
      const story = this.#byPhone.get(event.phone ?? "")?.story;
      this.#ledger.violate(`two live sockets for ${event.device}\n    ${story}`);
    }
    if (event.kind === "login" || event.kind === "closed") this.#lookForDoubles();
  }

  #lookForDoubles(): void {
    const now = performance.now();
    const seen = new Map<string, number>();
    for (const { state, deviceJid } of this.#gateway.connections) {
      const isLogin = state === "login" || state === "online";
      if (isLogin && deviceJid !== null) seen.set(deviceJid, (seen.get(deviceJid) ?? 0) + 1);
    }
    for (const [device, count] of seen) {
      if (count > 1 && !this.#doubles.has(device)) this.#doubles.set(device, now);
    }
    for (const [device, since] of this.#doubles) {
      const ms = now - since;
      this.#longestDoubleMs = Math.max(this.#longestDoubleMs, ms);
      if ((seen.get(device) ?? 0) <= 1) this.#doubles.delete(device);
      else if (ms > this.#bounds.qr + this.#bounds.hangMs) {
        this.#doubles.delete(device);
        this.#ledger.violate(`${device} has had two connections for ${Math.round(ms)} ms`);
      }
    }
  }
}
