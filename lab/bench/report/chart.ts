/**
 * A run's targets as a picture: each figure beside its peer, and where it has to be.
 * @module
 */
import { isReached, type Target } from "../part.ts";
import type { Run } from "./run.ts";
import { boundInWords, inWords } from "./table.ts";

const WIDTH = 860;
const LEFT = 270;
const RIGHT = 150;
const ROW = 46;
const TOP = 64;
const BAR = 14;
const COLOURS = { reached: "#2f855a", missed: "#c05621", peer: "#a0aec0", bound: "#1a202c" };

/** An SVG that shows the targets of all parts. */
export function drawChart(run: Run): string {
  const targets = Object.values(run.parts).flatMap((part) => part.targets);
  const height = TOP + targets.length * ROW + 30;
  const subtitle = `${run.date.slice(0, 10)}, ${run.scale} run on ${run.machine.cores} cores of ` +
    `${run.machine.processor}, Deno ${run.versions.deno}; the line is where the figure has to be`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">Session Manager beside its peers</text>
<text x="16" y="45" fill="#4a5568">${escaped(subtitle)}</text>
${targets.map((target, index) => drawTarget(target, TOP + index * ROW)).join("\n")}
</svg>
`;
}

function drawTarget(target: Target, top: number): string {
  const { name, ours, peer, peerName, unit, bound } = target;
  const wanted = peer * ("atLeast" in bound ? bound.atLeast : bound.atMost);
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(ours, peer, wanted);
  const bar = (value: number, y: number, fill: string) =>
    `<rect x="${LEFT}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR}" fill="${fill}"/>` +
    `<text x="${(LEFT + value * scale + 6).toFixed(1)}" y="${y + 11}">${
      escaped(inWords(value, unit))
    }</text>`;
  const line = (LEFT + wanted * scale).toFixed(1);
  return [
    `<text x="16" y="${top + 12}" font-weight="600">${escaped(name)}</text>`,
    `<text x="16" y="${top + 29}" fill="#4a5568">${escaped(`${peerName}; ${boundInWords(target)}`)}</text>`,
    bar(ours, top, isReached(target) ? COLOURS.reached : COLOURS.missed),
    bar(peer, top + BAR + 3, COLOURS.peer),
    `<line x1="${line}" x2="${line}" y1="${top - 3}" y2="${top + 2 * BAR + 6}" ` +
    `stroke="${COLOURS.bound}" stroke-width="2" stroke-dasharray="3 2"/>`,
  ].join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
