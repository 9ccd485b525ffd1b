/**
 * What a drill counts, and the table that it ends with.
 * @module
 */
import type { DialectName } from "./ground.ts";
import type { Aim } from "./plan.ts";

/** The counts of one dialect. */
export class Tally {
  readonly dialect: DialectName;
  readonly kills = new Map<Aim, number>();
  /** Kills whose moment did not come in time; they were carried out all the same. */
  missed = 0;
  /** Links that a kill put at stake, added up over the kills. */
  stakes = 0;
  /** Links that were made, each by a QR of its own. */
  links = 0;
  /** Links that did not come back, each with its story. */
  readonly losses: string[] = [];
  /** Devices that WhatsApp has and nobody uses, because of a kill in the middle of a pairing. */
  ghosts = 0;
  /** The same because of a kill in the middle of a logout. */
  leftBehind = 0;
  /** Logins kept by the product although WhatsApp never got the signature; its session finds out by a login that is refused. */
  hollow = 0;
  overlaps = 0;
  /** From the start of the process until every link was back, in milliseconds. */
  readonly restartsMs: number[] = [];
  /** Everything else that must not happen, with its story. */
  readonly faults: string[] = [];

  constructor(dialect: DialectName) {
    this.dialect = dialect;
  }

  get killed(): number {
    return [...this.kills.values()].reduce((sum, count) => sum + count, 0);
  }

  get isGood(): boolean {
    return this.losses.length === 0 && this.ghosts === 0 && this.overlaps === 0 && this.faults.length === 0;
  }

  countKill(aim: Aim, stakes: number): void {
    this.kills.set(aim, (this.kills.get(aim) ?? 0) + 1);
    this.stakes += stakes;
  }
}

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `1.23 s` */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** The table: one line a count, one column a dialect. */
export function table(tallies: readonly Tally[]): string {
  const aims = [...new Set(tallies.flatMap((tally) => [...tally.kills.keys()]))].sort();
  const lines: [string, (tally: Tally) => string | number][] = [
    ["dialect", (tally) => tally.dialect],
    ["kills", (tally) => tally.killed],
    ...aims.map((
      aim,
    ): [string, (tally: Tally) => number] => [`  at ${aim}`, ({ kills }) => kills.get(aim) ?? 0]),
    ["moments missed", (tally) => tally.missed],
    ["links made", (tally) => tally.links],
    ["links at stake, over all kills", (tally) => tally.stakes],
    ["links lost", (tally) => tally.losses.length],
    ["ghost devices", (tally) => tally.ghosts],
    ["devices left behind by a logout", (tally) => tally.leftBehind],
    ["hollow logins", (tally) => tally.hollow],
    ["overlaps", (tally) => tally.overlaps],
    ["other faults", (tally) => tally.faults.length],
    ["all back, median", (tally) => seconds(median(tally.restartsMs))],
    ["all back, max", (tally) => seconds(Math.max(...tally.restartsMs))],
  ];
  return lines.map(([name, value]) =>
    `${name.padEnd(34)}${tallies.map((tally) => String(value(tally)).padStart(12)).join("")}`
  ).join("\n");
}
