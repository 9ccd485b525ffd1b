/**
 * Bytes that no client library would send, over TCP.
 * @module
 */
import { Buffer } from "node:buffer";
import { connect } from "node:net";

/**
 * Sends these bytes.
 * @param place a port of this machine's, or an origin with one
 * @returns everything until the server ends the connection, be it by a reset
 */
export async function raw(place: number | string, request: string | Uint8Array): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const port = typeof place === "number" ? place : Number(new URL(place).port);
  const chunks: Uint8Array[] = [];
  let connected = false;
  const socket = connect(port, "127.0.0.1", () => {
    connected = true;
    socket.write(request);
  });
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.on("error", (error) => connected || reject(error));
  socket.on("close", () => resolve(new TextDecoder().decode(Buffer.concat(chunks))));
  return await promise;
}

/** The lines of a request's head, with the empty one at its end; the connection ends with the answer. */
export function head(line: string, headers: readonly string[] = ["Host: localhost"]): string {
  return [line, ...headers, "Connection: close", "", ""].join("\r\n");
}
