/**
 * A run as text.
 * @module
 */
import { type Figure, isReached, type Target } from "../part.ts";
import type { Run } from "./run.ts";

export function printRun(run: Run): void {
  const { machine, versions } = run;
  console.log(`${run.date}, ${run.scale} run, ${Math.round(run.seconds)} s, load by ${run.loadGenerator}`);
  console.log(
    `${machine.processor}, ${machine.cores} cores${
      run.pinned ? ", pinned" : ""
    }, ${machine.memoryGiB} GiB, ` +
      `${machine.system}, load average ${machine.load.toFixed(2)}`,
  );
  console.log(Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "));
  for (const { title, figures, targets, notes = [] } of Object.values(run.parts)) {
    console.log(`\n${title}`);
    for (const line of columns(figures.map(figureRow))) console.log(`  ${line}`);
    for (const line of columns(targets.map(targetRow))) console.log(`  → ${line}`);
    for (const note of notes) console.log(`  ${note}`);
  }
}

/** A figure in as many digits as mean something. */
export function inWords(value: number, unit: Figure["unit"]): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const number = value.toLocaleString("en", { maximumFractionDigits: digits });
  return unit === "/s" ? `${number}/s` : `${number} ${unit}`.trimEnd();
}

/** What a target asks for. */
export function boundInWords({ bound }: Target): string {
  return "atLeast" in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`;
}

function figureRow({ name, value, unit, rounds = [] }: Figure): string[] {
  const spread = rounds.length < 2
    ? ""
    : `(${inWords(Math.min(...rounds), "")} … ${inWords(Math.max(...rounds), "")})`;
  return [name, inWords(value, unit), spread];
}

function targetRow(target: Target): string[] {
  const { name, ours, peer, peerName, unit } = target;
  return [
    name,
    inWords(ours, unit),
    `${inWords(peer, unit)} ${peerName}`,
    `ratio ${(ours / peer).toFixed(2)}, wanted ${boundInWords(target)}`,
    isReached(target) ? "reached" : "NOT REACHED",
  ];
}

function columns(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
}
