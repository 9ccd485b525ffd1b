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
  /** Sessions that are connected, or that show a QR, while they are asked for over HTTP. */
  readonly owned: number;
  /** Sessions that are connected while connections drop. */
  readonly churned: number;
  /** How many sessions are weighed and brought back. */
  readonly sizes: readonly number[];
  /** Rounds of restarts, which take long. */
  readonly restartRounds: number;
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
  churned: 500,
  sizes: [100, 500, 1_000],
  restartRounds: 3,
  logins: 200,
  pairings: 50,
  qrsAlone: 50,
  qrsAtOnce: 100,
  settleMs: 15_000,
};

/** Two minutes on idle cores. The figures are the same in kind, not in number of sessions. */
export const QUICK: Scale = {
  name: "quick",
  rounds: 3,
  loadSeconds: 1,
  rows: 1_000,
  owned: 30,
  churned: 30,
  sizes: [30],
  restartRounds: 1,
  logins: 30,
  pairings: 10,
  qrsAlone: 8,
  qrsAtOnce: 30,
  settleMs: 2_000,
};
