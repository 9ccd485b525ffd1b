/**
 * What a node of a cluster says of itself: asked over a connection of its own, which is gone afterwards.
 * @module
 */
import type { Socket } from "node:net";
import { type Connection, type ConnectionOptions, createConnection } from "mysql2";
import { type GroupMember, type NodeRole, ROLE_QUESTIONS, roleIn } from "./nodes.ts";

/** How long a node may take to say it, in milliseconds, the connection included. */
const ROLE_MS = 2_000;

/**
 * @param open begins to connect
 * @throws what the driver throws, and when the node has not answered in time
 */
export async function askRole(options: ConnectionOptions, open: () => Socket): Promise<NodeRole> {
  const socket = open();
  const connection = createConnection({ ...options, connectTimeout: 0, stream: () => socket });
  connection.on("error", () => {});
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(Object.assign(new Error("The node does not answer."), { code: "ETIMEDOUT" })),
    ROLE_MS,
  );
  try {
    return await Promise.race([late, ask(connection)]);
  } finally {
    clearTimeout(timer);
    connection.destroy();
    socket.destroy();
  }
}

async function ask(connection: Connection): Promise<NodeRole> {
  const flags = await rowsOf<{ Variable_name: string; Value: string }>(connection, ROLE_QUESTIONS.flags);
  // Where there is no group, or the account may not look at it, the flags have to do.
  const members = await rowsOf<GroupMember>(connection, ROLE_QUESTIONS.group).catch(() => []);
  return roleIn(new Map(flags.map((row) => [row.Variable_name.toLowerCase(), row.Value])), members);
}

function rowsOf<Row>(connection: Connection, question: string): Promise<Row[]> {
  return new Promise((resolve, reject) =>
    connection.query(question, (error, rows) => error ? reject(error) : resolve(rows as unknown as Row[]))
  );
}
