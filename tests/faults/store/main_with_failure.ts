/**
 * The service as it is, in which something fails that nobody is waiting for, once it listens: what, its argument says.
 * @module
 */
import { FencedError } from "../../../sessions/ports/store.ts";
import { StoreUnavailableError } from "../../../sessions/ports/store.ts";
import { main } from "../../../main.ts";

const FAILURES: Readonly<Record<string, () => unknown>> = {
  outage: () => new StoreUnavailableError(new Error("away")),
  driver: () => Object.assign(new Error("Server is in offline mode."), { errno: 3032, sqlState: "HY000" }),
  fence: () => new FencedError("sender_1"),
  fault: () => new TypeError("a fault of ours"),
};

await main();
void Promise.reject(FAILURES[Deno.args[0] ?? ""]?.());
