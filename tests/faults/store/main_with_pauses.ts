/**
 * The service as it is, but for its patience with a database that cannot be reached: pauses in milliseconds, as JSON.
 * @module
 */
import { main } from "../../../main.ts";

await main({ storePausesMs: JSON.parse(Deno.args[0] ?? "[]") });
