/**
 * A row read by its unique key and nothing else, as often as it goes: `reads_main.ts <mysql2|sqlite> <database>`.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { createPool } from "mysql2";
import { SESSIONS } from "../../../db/schema.ts";
import { CONNECTIONS } from "../lib/connections.ts";
import { quantile } from "../lib/stats.ts";
import { serveCommands } from "./commands.ts";

const [kind = "", database = ""] = Deno.args;
const READ = `select * from ${SESSIONS} where instance_id = ?`;
/** As large as the product's own pool. */
const POOL = 10;

function reader(): (name: string) => Promise<unknown> {
  if (kind === "sqlite") {
    const statement = new DatabaseSync(database, { readOnly: true }).prepare(READ);
    return (name) => Promise.resolve(statement.get(name));
  }
  const pool = createPool({ uri: database, connectionLimit: POOL, dateStrings: true });
  return (name) =>
    new Promise((resolve, reject) =>
      pool.execute(READ, [name], (error, rows) => error ? reject(error) : resolve((rows as unknown[])[0]))
    );
}

const read = reader();

serveCommands({
  /** Reads these at random, as many at the same time as the load generator has connections. */
  async read({ names, seconds }: { names: string[]; seconds: number }) {
    const end = performance.now() + seconds * 1_000;
    const times: number[] = [];
    const work = async () => {
      for (let now = performance.now(); now < end;) {
        const row = await read(names[Math.floor(Math.random() * names.length)]!);
        if (row === undefined) throw new Error("There is no such row.");
        const then = performance.now();
        times.push(then - now);
        now = then;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
    return {
      perSecond: times.length / seconds,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      failures: 0,
    };
  },
});
