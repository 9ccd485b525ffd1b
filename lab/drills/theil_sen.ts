/**
 * How fast something grows, by the median of the slopes between all pairs of samples: a few that are far off do not
 * matter to it. Source: P. K. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau" (1968).
 * @module
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Slope {
  /** The estimate: y by x. */
  readonly slope: number;
  /** The bounds of its confidence interval; infinite with too few samples. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** Of the normal distribution: between minus and plus this lie 95 %. */
export const Z95 = 1.959964;

/**
 * The slope that all runs share, however high each of them lies: only samples of the same run are compared.
 * @param runs no two points of a run have the same x
 * @param z how wide the confidence interval is, in standard deviations
 * @returns null when there is no pair to compare
 */
export function theilSen(runs: readonly (readonly Point[])[], z = Z95): Slope | null {
  const slopes: number[] = [];
  let variance = 0;
  for (const points of runs) {
    for (const [i, one] of points.entries()) {
      for (const other of points.slice(i + 1)) slopes.push((other.y - one.y) / (other.x - one.x));
    }
    const n = points.length;
    variance += n * (n - 1) * (2 * n + 5) / 18;
  }
  if (slopes.length === 0) return null;
  slopes.sort((one, other) => one - other);
  const spread = z * Math.sqrt(variance);
  return {
    slope: median(slopes),
    low: slopes[Math.round((slopes.length - spread) / 2) - 1] ?? -Infinity,
    high: slopes[Math.round((slopes.length + spread) / 2)] ?? Infinity,
    samples: runs.reduce((sum, { length }) => sum + length, 0),
  };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
