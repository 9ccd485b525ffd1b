/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, which weighs itself when it is asked to.
 * @module
 */
import { scales } from "./leak_channel.ts"; // before the worker's own code takes such channels away
import { weigh } from "./leak_scales.ts";
import "../../whatsapp/worker/main.ts";

scales.onmessage = ({ data }: MessageEvent<unknown>) => {
  if (data === "weigh") scales.postMessage(weigh());
};
