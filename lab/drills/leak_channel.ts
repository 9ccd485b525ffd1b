/// <reference lib="deno.worker" />
/**
 * The channel over which a worker is asked for its weight.
 * @module
 */
import { SCALES } from "./leak_scales.ts";

export const scales = new BroadcastChannel(SCALES);
