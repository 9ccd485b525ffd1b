/**
 * The service as it is, but for bounds that a drill in small has time for: options of the service as JSON.
 * @module
 */
import { main } from "../../../main.ts";

await main(JSON.parse(Deno.args[0] ?? "{}"));
