/**
 * The world around one session, as far as the rules can see it: effects are carried out on a modelled
 * socket and modelled credentials, and every moment is written down for the properties to judge.
 * @module
 */
import fc from "fast-check";
import {
  atRest,
  hasLoginSocket,
  isLoginWorking,
  isPairing,
  type Link,
  nextTickMs,
  type Policy,
  type SessionSnapshot,
} from "../../domain/snapshot.ts";
import type { TransitionContext } from "../../domain/moves.ts";
import type { CredentialsChange } from "../../domain/credentials.ts";
import type { DomainEvent } from "../../domain/domain_events.ts";
import type { Effect, SessionEvent } from "../../domain/events.ts";
import type { Instant } from "../../domain/session.ts";
import { judge, type Verdict } from "../../domain/disconnect.ts";
import { transition } from "../../domain/transition.ts";
import type { FaultCode } from "@session-manager/contract";
import { PAIRED, policies, START } from "./arbitraries.ts";
import { type Beginning, beginnings, type Step, steps } from "./stories.ts";

/** The modelled sockets: how far each has come; null where there is none. */
export interface Sockets {
  readonly pairing: { readonly shown: number; readonly scanned: boolean } | null;
  readonly login: { readonly online: boolean } | null;
}

/** The modelled store: what the login is good for, and whether an older one is held. */
export interface Credentials {
  readonly link: Link;
  readonly held: boolean;
}

/** One transition, and what the world looked like around it. */
export interface Moment {
  readonly before: SessionSnapshot;
  readonly event: SessionEvent;
  readonly at: TransitionContext;
  readonly after: SessionSnapshot;
  readonly change: CredentialsChange;
  readonly told: readonly DomainEvent[];
  readonly effects: readonly Effect[];
  /** The sockets once the event's own consequences are counted and before any effect. */
  readonly socketsBefore: Sockets;
  readonly socketsAfter: Sockets;
  /** What the store holds once the effects are carried out. */
  readonly credentials: Credentials;
  /** Effects that this world could not carry out, and why. */
  readonly faults: readonly string[];
}

/**
 * How events reach the session: `orderly`, a socket reports only while it exists and only what it can
 * report; or `free`, anything may be reported at any time, as by sockets of long ago.
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

const NO_SOCKETS: Sockets = { pairing: null, login: null };

class World {
  readonly moments: Moment[] = [];
  #now: Instant = START;
  #steady = 1_000;
  #snapshot: SessionSnapshot;
  #sockets = NO_SOCKETS;
  #credentials: Credentials;
  #asked = false;
  readonly #policy: Policy;
  readonly #manners: Manners;

  constructor(beginning: Beginning, policy: Policy, manners: Manners) {
    const { link, predecessor } = beginning.kind === "stored"
      ? beginning
      : { link: "none", predecessor: false } as const;
    this.#credentials = { link, held: predecessor };
    this.#snapshot = atRest(beginning.session, link, predecessor);
    this.#policy = policy;
    this.#manners = manners;
  }

  take(step: Step): void {
    switch (step.kind) {
      case "restart":
        return this.restart(step.gap, step.random);
      case "clock_set":
        this.#now += step.byMs;
        return;
      case "due":
        return this.#awaitDue(step.random);
      case "smooth": {
        const next = smooth(this.#snapshot, this.#sockets, step.of);
        return next === null ? this.#awaitDue(step.random) : this.#hear(next, step.gap, step.random, false);
      }
      case "lost": {
        const type = this.#sockets.login === null ? "pairing_closed" : "login_closed";
        return this.#hear({ type, cause: step.cause }, step.gap, step.random, false);
      }
      case "event":
        return this.#hear(step.event, step.gap, step.random, step.tearingDown);
    }
  }

  /** The process dies with its sockets and its plans; the store remembers. */
  restart(gap: number, random: number): void {
    this.#pass(gap);
    this.#sockets = NO_SOCKETS;
    this.#asked = false;
    this.#snapshot = atRest(this.#snapshot.session, this.#credentials.link, this.#credentials.held);
    this.#apply({ type: "restored" }, random, false);
  }

  #awaitDue(random: number): void {
    const dueMs = nextTickMs(this.#snapshot, { now: this.#now, steady: this.#steady });
    if (dueMs === null) return;
    this.#pass(Math.max(0, dueMs));
    this.#apply({ type: "tick" }, random, false);
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#steady += ms;
  }

  #hear(reported: SessionEvent, gap: number, random: number, tearingDown: boolean): void {
    const event = this.#possible(reported, this.#now + gap);
    if (event === null) return;
    this.#pass(gap);
    this.#apply(event, random, tearingDown);
  }

  /** The event as it is heard at `now`, or null when nobody is there to report it. */
  #possible(reported: SessionEvent, now: Instant): SessionEvent | null {
    const event = reported.type === "qr"
      ? { ...reported, generatedAt: now - reported.generatedAt }
      : reported;
    if (this.#manners === "free") return event;
    const { pairing, login } = this.#sockets;
    switch (event.type) {
      case "qr":
        return pairing === null || pairing.scanned || pairing.shown === 6
          ? null
          : { ...event, ordinal: pairing.shown };
      case "paired":
      case "passkey_demanded":
        return pairing !== null && pairing.shown > 0 && !pairing.scanned ? event : null;
      case "connected":
        return event.source === "internal" || login?.online === false ? event : null;
      case "credentials_unreadable":
        return login?.online === false ? event : null;
      case "pairing_closed":
        return pairing === null ? null : event;
      case "login_closed":
        return login === null ? null : event;
      case "admitted":
        return this.#asked ? event : null;
      default:
        return event;
    }
  }

  #apply(event: SessionEvent, random: number, tearingDown: boolean): void {
    const before = deepFreeze(this.#snapshot);
    const at = deepFreeze({
      now: this.#now,
      steady: this.#steady,
      random,
      tearingDown,
      retiredId: "retired-1",
      policy: this.#policy,
    });
    this.#sockets = afterEvent(this.#sockets, event);
    if (event.type === "admitted") this.#asked = false;
    const socketsBefore = this.#sockets;
    const {
      snapshot: after,
      credentials: change,
      events: told,
      effects,
    } = transition(before, deepFreeze(event), at);
    const faults = [this.#store(change), ...effects.map((effect) => this.#carryOut(effect))]
      .filter((fault) => fault !== null);
    this.#snapshot = after;
    this.moments.push({
      before,
      event,
      at,
      after,
      change,
      told,
      effects,
      socketsBefore,
      socketsAfter: this.#sockets,
      credentials: this.#credentials,
      faults,
    });
  }

  /** Writes what becomes of the credentials. Returns why it made no sense, where it made none. */
  #store(change: CredentialsChange): string | null {
    const { link, held } = this.#credentials;
    switch (change.kind) {
      case "keep":
        return null;
      case "adopt":
        this.#credentials = { link: "working", held: held || link === "working" };
        return this.#sockets.pairing === null ? "adopted credentials that no pairing socket brought" : null;
      case "confirm":
        this.#credentials = { link, held: false };
        return held ? null : "confirmed a login for which none was held";
      case "revert":
        this.#credentials = { link: "working", held: false };
        return held ? null : "reverted to a login that was not held";
      case "erase":
        this.#credentials = { link: "none", held };
        if (held) return "erased credentials while older ones were held";
        return link === "none" ? "erased credentials that were not there" : null;
      case "retire":
        this.#credentials = { link: "none", held: false };
        return link === "none" && !held ? "retired credentials that were not there" : null;
      case "suspend":
        this.#credentials = { link: "suspended", held };
        return link === "working" ? null : "suspended credentials that were not working";
    }
  }

  /** Carries one effect out. Returns why it made no sense, where it made none. */
  #carryOut(effect: Effect): string | null {
    const { pairing, login } = this.#sockets;
    const { link } = this.#credentials;
    switch (effect.type) {
      case "open_pairing_socket":
        this.#sockets = { pairing: { shown: 0, scanned: false }, login };
        return pairing === null ? null : "opened a pairing socket while another was open";
      case "open_login_socket":
        this.#sockets = { pairing, login: { online: false } };
        if (link !== "working") return "logged in without working credentials";
        return login === null ? null : "opened a login's socket while another was open";
      case "close_pairing_socket":
        this.#sockets = { pairing: null, login };
        return pairing === null ? "closed a pairing socket that was not there" : null;
      case "close_login_socket":
        this.#sockets = { pairing, login: null };
        return login === null ? "closed a login's socket that was not there" : null;
      case "ask_admission":
        this.#asked = true;
        return null;
    }
  }
}

/** What comes next where all goes well; null for the time that is waited for. */
function smooth(
  snapshot: SessionSnapshot,
  { pairing: socket }: Sockets,
  of: "login" | "qr" | "scan",
): SessionEvent | null {
  const { login, pairing } = snapshot;
  if (pairing.kind === "paired") {
    return { type: "pairing_closed", cause: { origin: "whatsapp", code: 515 } };
  }
  if (pairing.kind === "showing" && !(of === "login" && isLoginWorking(snapshot))) {
    return of === "scan" && socket !== null && socket.shown > 0
      ? PAIRED
      : { type: "qr", string: "data:image/png;base64,Q0ND", ordinal: 0, generatedAt: 0 };
  }
  if (of === "qr" || !isLoginWorking(snapshot)) return { type: "qr_requested" };
  switch (login.kind) {
    case "queued":
      return { type: "admitted" };
    case "login":
      return { type: "connected", phoneNumber: "+5491155550001", source: "socket" };
    default:
      return null;
  }
}

/** What an event says about the sockets that reported it. */
function afterEvent(sockets: Sockets, event: SessionEvent): Sockets {
  const { pairing, login } = sockets;
  if (event.type === "pairing_closed") return { pairing: null, login };
  if (event.type === "login_closed") return { pairing, login: null };
  if (pairing !== null && event.type === "qr") {
    return { pairing: { ...pairing, shown: pairing.shown + 1 }, login };
  }
  if (pairing !== null && event.type === "paired") return { pairing: { ...pairing, scanned: true }, login };
  if (login !== null && event.type === "connected" && event.source === "socket") {
    return { pairing, login: { online: true } };
  }
  return sockets;
}

/** How many stories each property is told, with either manners. */
const STORIES = 400;

/** Checks `property` over arbitrary stories, orderly and free ones. */
export function forEveryStory(property: (moments: readonly Moment[]) => void): void {
  for (const manners of ["orderly", "free"] as const) {
    fc.assert(
      fc.property(beginnings, steps, policies, (beginning, story, policy) => {
        property(live(beginning, story, policy, manners));
      }),
      { numRuns: STORIES },
    );
  }
}

/** Checks `property` at every moment of arbitrary stories. */
export function atEveryMoment(property: (moment: Moment) => void): void {
  forEveryStory((moments) => moments.forEach(property));
}

/** What the end of a socket says of the login in use; null where nothing does. */
function verdictOnLogin({ before, event }: Moment): Verdict | null {
  switch (event.type) {
    case "login_closed":
      return hasLoginSocket(before) ? judge(event.cause) : null;
    case "pairing_closed":
      // Before the scan, a pairing socket speaks of no login at all.
      return before.pairing.kind === "paired" ? judge(event.cause) : null;
    default:
      return null;
  }
}

/** WhatsApp says that the login in use does not exist. */
export function isLoginLost(moment: Moment): boolean {
  return verdictOnLogin(moment)?.kind === "logged_out";
}

/** Why WhatsApp wants the login in use not to be used any more; null where it does not. */
export function refusalOfLogin(moment: Moment): FaultCode | null {
  const verdict = verdictOnLogin(moment);
  // A client that is outdated is refused with every login.
  return verdict?.kind === "unrecoverable" && verdict.code !== "CLIENT_OUTDATED" ? verdict.code : null;
}

/** A pairing ends without a scan, by itself or because it took too long. */
export function isUnscanned({ before, event, after }: Moment): boolean {
  return isPairing(before) && !isPairing(after) &&
    (event.type === "pairing_closed" || event.type === "tick" || event.type === "passkey_demanded");
}
