/// <reference lib="deno.worker" />
/**
 * A thread that tidies up again and again, and says how that went.
 * @module
 */
import { tidyHeap } from "../../whatsapp/worker/heap.ts";

for (let i = 0; i < 20; i++) tidyHeap();
self.postMessage("tidy");
