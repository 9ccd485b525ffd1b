/**
 * How much is measured.
 * @module
 */

export interface Scale {
  readonly name: "quick" | "full";
  /** Rounds of which the median counts. */
  readonly rounds: number;
  /** How long a server is loaded in a round, in seconds. */
  readonly loadSeconds: number;
  /** Rows that are there to be read. */
  readonly rows: number;
  /** Sessions that are connected while they are asked for over HTTP. */
  readonly owned: number;
  /** What a read of one of them has to reach of a bare route's rate: their sockets live on the core that answers. */
  readonly ownedShare: number;
  /** QRs that are shown while they are asked for: no more than can be shown and asked for within a QR's minute. */
  readonly shown: number;
  /** How long a round of that takes, in seconds. */
  readonly shownSeconds: number;
  /** Sessions that are connected while connections drop. */
  readonly churned: number;
  /** How many sessions are weighed and brought back. */
  readonly sizes: readonly number[];
  /** Rounds of what takes long: pairings, logins, restarts, connections that drop. */
  readonly longRounds: number;
  /** Logins in a row, to see how fast it goes. */
  readonly logins: number;
  /** Sessions that are paired at once, to see how fast it goes. */
  readonly pairings: number;
  /** QRs that are asked for one after the other, and at once. */
  readonly qrsAlone: number;
  readonly qrsAtOnce: number;
  /** How long a process is left alone before it is weighed, and watched while idle, in milliseconds. */
  readonly settleMs: number;
}

export const FULL: Scale = {
  name: "full",
  rounds: 5,
  loadSeconds: 4,
  rows: 1_000,
  owned: 1_000,
  ownedShare: 0.49,
  shown: 500,
  shownSeconds: 2,
  churned: 500,
  sizes: [100, 500, 1_000],
  longRounds: 3,
  logins: 200,
  pairings: 50,
  qrsAlone: 50,
  qrsAtOnce: 100,
  settleMs: 8_000,
};

/** Two minutes on idle cores. The figures are the same in kind, not in number of sessions. */
export const QUICK: Scale = {
  name: "quick",
  rounds: 2,
  loadSeconds: 1,
  rows: 1_000,
  owned: 20,
  ownedShare: 0.7,
  shown: 20,
  shownSeconds: 1,
  churned: 20,
  sizes: [20],
  longRounds: 1,
  logins: 20,
  pairings: 6,
  qrsAlone: 5,
  qrsAtOnce: 20,
  settleMs: 1_250,
};
