/**
 * What a round of the drill will do, chosen before it begins: the same seed plans the same.
 * @module
 */
import type { DropStyle } from "../simulator/mod.ts";
import type { Chance } from "./random.ts";

/**
 * At which moment the service is killed. `random`: uniformly within 800 ms after the scan. `scanned`, `paired`,
 * `login`, `online`: as the gateway sees it of the session that is being paired; `prekeys`: at the next upload of
 * pre-keys, whose ever. `connecting`, `connected`: when the front door first says so of that session. `drop`:
 * right after connections were dropped; `back`: when the first of them logs in again. `logout`: right after a
 * session was unlinked. `start`: while the service is starting after a kill.
 */
export const AIMS = [
  "random",
  "scanned",
  "paired",
  "connecting",
  "login",
  "prekeys",
  "online",
  "connected",
  "drop",
  "back",
  "logout",
  "start",
] as const;

/** One of {@linkcode AIMS}. */
export type Aim = typeof AIMS[number];

/** How often each comes in a deck of 25. */
const SHARES: Readonly<Record<Aim, number>> = {
  random: 6,
  scanned: 1,
  paired: 2,
  connecting: 4,
  login: 2,
  prekeys: 2,
  online: 1,
  connected: 1,
  drop: 1,
  back: 1,
  logout: 2,
  start: 2,
};

/** The window after the scan in which a kill strikes anywhere, in milliseconds. */
const WINDOW_MS = 800;
/** Half of the kills at an event strike with it, the others up to so many milliseconds later. */
const LATER_MS = 60;
/** A kill during a start strikes up to so many milliseconds after it. */
const START_WINDOW_MS = 1_500;

/** One round. Counts are upper bounds: there may be fewer sessions to do it to. */
export interface Plan {
  readonly aim: Aim;
  /** From the aim's event to the kill, in milliseconds. */
  readonly delayMs: number;
  /** How many sessions are paired at once; the first is the one that is aimed at. */
  readonly pairings: number;
  /** When the others are scanned after the first, in milliseconds. */
  readonly laterScanMs: number;
  readonly drops: readonly DropStyle[];
  /** Whether they are dropped before the QR is asked for, so that some are on their way back at the scan. */
  readonly dropsEarly: boolean;
  /** How many sessions are told that they are short of pre-keys. */
  readonly uploads: number;
  /** By whom sessions are unlinked. */
  readonly logouts: readonly ("phone" | "event")[];
}

/** Aims for so many kills: whole decks in random order, so that every aim has its share. */
export function aims(kills: number, chance: Chance): Aim[] {
  const deck = AIMS.flatMap((aim) => Array<Aim>(SHARES[aim]).fill(aim));
  const drawn: Aim[] = [];
  while (drawn.length < kills) drawn.push(...chance.shuffled(deck));
  return drawn.slice(0, kills);
}

/**
 * Plans a round.
 * @param linked how many sessions are linked
 * @param bound how many may stay so: what is over is unlinked
 */
export function planRound(aim: Aim, linked: number, bound: number, chance: Chance): Plan {
  const later = chance.below(LATER_MS + 1);
  const pairings = 1 + chance.below(2);
  const surplus = Math.max(0, Math.min(linked + pairings - bound, linked));
  const least = aim === "logout" || chance.happens(0.1) ? 1 : 0;
  const styles: readonly DropStyle[] = ["terminate", "close", "xmlstreamend"];
  const plan: Plan = {
    aim,
    delayMs: chance.happens(0.5) ? 0 : later,
    pairings,
    laterScanMs: chance.below(WINDOW_MS / 2),
    drops: Array.from(
      { length: aim === "drop" || aim === "back" ? 3 : chance.below(4) },
      () => chance.pick(styles),
    ),
    dropsEarly: aim !== "drop" && chance.happens(0.5),
    uploads: aim === "prekeys" ? 2 : chance.below(3),
    logouts: Array.from({ length: Math.max(surplus, least) }, () => chance.pick(["phone", "event"] as const)),
  };
  switch (aim) {
    case "random":
      return { ...plan, delayMs: chance.below(WINDOW_MS + 1) };
    case "start":
      return { ...plan, delayMs: chance.below(START_WINDOW_MS + 1) };
    default:
      return plan;
  }
}
