/**
 * The question that tells a MySQL or MariaDB server that answers from one that does not.
 * @module
 */
import type { Socket } from "node:net";
import { type ConnectionOptions, createConnection } from "mysql2";

/**
 * How long the server may take to accept the connection, and how long to answer once it has; in milliseconds. What a
 * network has swallowed is sent again ever more rarely, so it is soon tried anew. A server that has accepted and is silent,
 * stopped say, answers as soon as it goes on: it is not sent one connection after the other, the breaking off of which
 * it would count against this host (`max_connect_errors`).
 */
const REACH_MS = 2_000;
const ANSWER_MS = 30_000;

/** What says nothing of the server, since it does not come from there. */
const SILENT: ReadonlySet<unknown> = new Set([
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/**
 * Resolves with any answer, be it that the server refuses.
 * @param open begins to connect
 * @throws when there is none
 */
export function probeMysql(
  options: ConnectionOptions,
  open: () => Socket,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = open();
    const connection = createConnection({ ...options, connectTimeout: 0, stream: () => socket });
    const end = (error?: unknown) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      connection.destroy();
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const tooLate = () => end(new Error("The server is silent."));
    const onAbort = () => end(signal.reason);
    let timer = setTimeout(tooLate, REACH_MS);
    socket.once("connect", () => {
      clearTimeout(timer);
      timer = setTimeout(tooLate, ANSWER_MS);
    });
    signal.addEventListener("abort", onAbort);
    connection.on("error", () => {});
    connection.query("select 1", (error) => end(SILENT.has(error?.code) ? error : undefined));
  });
}
