/**
 * The service as it is, but for its patience with a database that cannot be reached.
 * @module
 */
import { main } from "../../../main.ts";

await main({ storePausesMs: [50, 100, 150] });
