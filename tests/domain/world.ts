/**
 * The world around one session, as far as the rules can see it: effects are carried out on a modelled
 * socket and modelled credentials, and every moment is written down for the properties to judge.
 * @module
 */
import fc from "fast-check";
import {
  atRest,
  type Circumstances,
  type Effect,
  type Instant,
  type Life,
  type Link,
  nextTick,
  type Policy,
  type SessionEvent,
  transition,
} from "../../domain/mod.ts";
import { type Beginning, beginnings, policies, START, type Step, steps } from "./arbitraries.ts";

/** The modelled socket: what it was opened for, and how far it has come. */
export type Socket =
  | { readonly kind: "pairing"; readonly shown: number; readonly scanned: boolean }
  | { readonly kind: "login"; readonly online: boolean };

/** One transition, and what the world looked like around it. */
export interface Moment {
  readonly before: Life;
  readonly event: SessionEvent;
  readonly at: Circumstances;
  readonly after: Life;
  readonly effects: readonly Effect[];
  /** The socket once the event's own consequences are counted and before any effect. */
  readonly socketBefore: Socket | null;
  readonly socketAfter: Socket | null;
  /** What the store holds once the effects are carried out. */
  readonly credentials: Link;
  /** Effects that this world could not carry out, in words. */
  readonly faults: readonly string[];
}

/**
 * How words reach the session: `orderly`, a socket speaks only while it exists and only what it can
 * say; or `free`, anything may be said at any time, as by sockets of long ago.
 */
export type Manners = "orderly" | "free";

/** Makes every write to `value`, however deep, throw. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

/** Lives a whole story and writes down its moments. */
export function live(
  beginning: Beginning,
  story: readonly Step[],
  policy: Policy,
  manners: Manners,
): Moment[] {
  const world = new World(beginning, deepFreeze(policy), manners);
  if (beginning.kind === "stored") world.restart(0, 0.5);
  for (const step of story) world.take(step);
  return world.moments;
}

class World {
  readonly moments: Moment[] = [];
  #now: Instant = START;
  #life: Life;
  #socket: Socket | null = null;
  #credentials: Link;
  #asked = false;
  readonly #policy: Policy;
  readonly #manners: Manners;

  constructor(beginning: Beginning, policy: Policy, manners: Manners) {
    this.#credentials = beginning.kind === "stored" ? beginning.link : "none";
    this.#life = atRest(beginning.session, this.#credentials);
    this.#policy = policy;
    this.#manners = manners;
  }

  take(step: Step): void {
    switch (step.kind) {
      case "restart":
        return this.restart(step.gap, step.random);
      case "due": {
        const due = nextTick(this.#life);
        if (due === null) return;
        this.#now = Math.max(this.#now, due);
        return this.#apply({ type: "tick" }, step.random);
      }
      case "smooth":
        return this.#hear(smooth(this.#life, this.#socket), step.gap, step.random);
      case "event":
        return this.#hear(step.event, step.gap, step.random);
    }
  }

  /** The process dies with its sockets and its plans; the store remembers. */
  restart(gap: number, random: number): void {
    this.#now += gap;
    this.#socket = null;
    this.#asked = false;
    this.#life = atRest(this.#life.session, this.#credentials);
    this.#apply({ type: "restored" }, random);
  }

  #hear(said: SessionEvent, gap: number, random: number): void {
    const event = this.#word(said, this.#now + gap);
    if (event === null) return;
    this.#now += gap;
    this.#apply(event, random);
  }

  /** The word as it is heard at `now`, or null when nobody is there to say it. */
  #word(event: SessionEvent, now: Instant): SessionEvent | null {
    const word = event.type === "qr" ? { ...event, generatedAt: now - event.generatedAt } : event;
    if (this.#manners === "free") return word;
    const socket = this.#socket;
    switch (word.type) {
      case "qr":
        if (socket?.kind !== "pairing" || socket.scanned || socket.shown === 6) return null;
        return { ...word, ordinal: socket.shown };
      case "paired":
      case "passkey_demanded":
        return socket?.kind === "pairing" && socket.shown > 0 && !socket.scanned ? word : null;
      case "connected":
        return word.source === "internal" || (socket?.kind === "login" && !socket.online) ? word : null;
      case "credentials_unreadable":
        return socket?.kind === "login" && !socket.online ? word : null;
      case "closed":
        return socket === null ? null : word;
      case "admitted":
        return this.#asked ? word : null;
      default:
        return word;
    }
  }

  #apply(event: SessionEvent, random: number): void {
    const before = deepFreeze(this.#life);
    const at = deepFreeze({ now: this.#now, random, policy: this.#policy });
    this.#socket = afterWord(this.#socket, event);
    if (event.type === "admitted") this.#asked = false;
    const socketBefore = this.#socket;
    const { life: after, effects } = transition(before, deepFreeze(event), at);
    const faults = effects.map((effect) => this.#carryOut(effect)).filter((fault) => fault !== null);
    this.#life = after;
    this.moments.push({
      before,
      event,
      at,
      after,
      effects,
      socketBefore,
      socketAfter: this.#socket,
      credentials: this.#credentials,
      faults,
    });
  }

  /** Carries one effect out. Returns why it made no sense, where it made none. */
  #carryOut(effect: Effect): string | null {
    const socket = this.#socket;
    const credentials = this.#credentials;
    switch (effect.type) {
      case "open_pairing_socket":
        this.#socket = { kind: "pairing", shown: 0, scanned: false };
        return socket === null ? null : "opened a socket while another was open";
      case "open_login_socket":
        this.#socket = { kind: "login", online: false };
        if (credentials !== "working") return "logged in without working credentials";
        return socket === null ? null : "opened a socket while another was open";
      case "close_socket":
        this.#socket = null;
        return socket === null ? "closed a socket that was not there" : null;
      case "ask_admission":
        this.#asked = true;
        return null;
      case "adopt_credentials":
        this.#credentials = "working";
        return socket?.kind === "pairing" ? null : "adopted credentials that no pairing socket brought";
      case "erase_credentials":
        this.#credentials = "none";
        return credentials === "none" ? "erased credentials that were not there" : null;
      case "suspend_credentials":
        this.#credentials = "suspended";
        return credentials === "working" ? null : "suspended credentials that were not working";
    }
  }
}

/** What comes next where all goes well. */
function smooth({ activity }: Life, socket: Socket | null): SessionEvent {
  switch (activity.kind) {
    case "idle":
      return { type: "qr_requested" };
    case "pairing":
      return socket?.kind === "pairing" && socket.shown > 0
        ? { type: "paired" }
        : { type: "qr", string: "data:image/png;base64,Q0ND", ordinal: 0, generatedAt: 0 };
    case "paired":
      return { type: "closed", cause: { origin: "whatsapp", code: 515 } };
    case "queued":
      return { type: "admitted" };
    case "login":
      return { type: "connected", phoneNumber: "+5491155550001", source: "socket" };
    case "open":
    case "waiting":
      return { type: "tick" };
  }
}

/** What a word says about the socket that spoke it. */
function afterWord(socket: Socket | null, event: SessionEvent): Socket | null {
  if (event.type === "closed") return null;
  if (socket?.kind === "pairing") {
    if (event.type === "qr") return { ...socket, shown: socket.shown + 1 };
    if (event.type === "paired") return { ...socket, scanned: true };
  }
  if (socket?.kind === "login" && event.type === "connected" && event.source === "socket") {
    return { ...socket, online: true };
  }
  return socket;
}

/** How many stories each property is told, with either manners. */
const STORIES = 400;

/** Checks `property` at every moment of arbitrary stories, orderly and free ones. */
export function atEveryMoment(property: (moment: Moment) => void): void {
  for (const manners of ["orderly", "free"] as const) {
    fc.assert(
      fc.property(beginnings, steps, policies, (beginning, story, policy) => {
        for (const moment of live(beginning, story, policy, manners)) property(moment);
      }),
      { numRuns: STORIES },
    );
  }
}
