/**
 * A process that migrates the database at its first argument, and kills itself after as many statements as the second
 * says, as `kill -9` does.
 * @module
 */
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";

const [url, last] = Deno.args;
let done = 0;
const database = await connect(url!, {
  log: () => {
    if (++done === Number(last)) Deno.kill(Deno.pid, "SIGKILL");
  },
});
await migrateDatabase(database);
await database.close();
