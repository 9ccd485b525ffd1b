/**
 * How many writes of sessions one database server carries on this machine: fenced as the product's are, each durable.
 * @module
 */
import { connect } from "../../../db/database.ts";
import { migrateDatabase } from "../../../db/migrate.ts";
import { SqlStore } from "../../../db/store.ts";
import { createSession } from "../../../domain/session.ts";
import { KEYS } from "../../databases/helpers.ts";
import { TestServer } from "../../databases/server.ts";
import type { ServerProgram } from "../../databases/server_program.ts";

/** How long is written, in milliseconds. */
const WRITING_MS = 5_000;
/** How many sessions are written at a time; as many as there are connections. */
const WRITERS = 10;

/** What a server for production waits for at every commit. */
const DURABLE = ["--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=fsync"];

/** @returns writes a second */
export async function measureCarry(program: ServerProgram): Promise<number> {
  await using server = await TestServer.start(program, DURABLE);
  const { url } = await server.database();
  const database = await connect(url);
  await migrateDatabase(database);
  await using store = new SqlStore(database, KEYS);
  const replica = crypto.randomUUID();
  await store.leases?.join(replica, 60_000);
  const until = performance.now() + WRITING_MS;
  const write = async (name: string): Promise<number> => {
    const session = createSession(name, Date.now());
    await store.findOrCreate(name, session.createdAt);
    const taking = await store.leases?.take(name, replica);
    if (taking?.kind !== "taken") throw new Error("The session is somebody else's.");
    let writes = 0;
    while (performance.now() < until) {
      writes++;
      await store.save({ ...session, updatedAt: session.createdAt + writes }, { kind: "keep" }, taking.lease);
    }
    return writes;
  };
  const counts = await Promise.all(Array.from({ length: WRITERS }, (_, i) => write(`writer-${i}`)));
  return counts.reduce((sum, count) => sum + count, 0) / (WRITING_MS / 1_000);
}
