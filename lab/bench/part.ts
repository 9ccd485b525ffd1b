/**
 * What a part of the bench is given, and what it comes back with.
 * @module
 */
import type { Scale } from "./scale.ts";
import type { World } from "./world.ts";

/** One figure, the median of its rounds. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** Each round's own, in order. */
  readonly rounds?: readonly number[];
}

export type Unit = "/s" | "µs" | "ms" | "s" | "MiB" | "KiB" | "% of a core" | "";

/** A figure beside its peer or its limit, and what the two have to be to each other. */
export interface Target {
  readonly name: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly unit: Unit;
  /** Ours divided by the peer's has to be at least, or at most, this. */
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
}

export interface PartResult {
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  /** What a reader has to know; one sentence each. */
  readonly notes?: readonly string[];
}

export interface Part {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  run(context: Context): Promise<PartResult>;
}

export interface Context {
  readonly scale: Scale;
  readonly world: World;
  readonly say: (line: string) => void;
}

/** Whether a target is reached. */
export function isReached({ ours, peer, bound }: Target): boolean {
  const ratio = ours / peer;
  return "atLeast" in bound ? ratio >= bound.atLeast : ratio <= bound.atMost;
}
