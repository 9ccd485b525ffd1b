/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, which weighs itself when it is asked to.
 * @module
 */
import { SCALES, weigh } from "./leak_scales.ts";
import "../../whatsapp/worker/main.ts";

const scales = new BroadcastChannel(SCALES);
scales.onmessage = ({ data }: MessageEvent<unknown>) => {
  if (data === "weigh") scales.postMessage(weigh());
};
