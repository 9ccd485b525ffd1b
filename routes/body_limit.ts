/**
 * The largest body that is read.
 *
 * Hono's own limit leaves the rest of a body that is too large unread, and the connection hanging with it;
 * this one gives the rest up, so that the connection ends with the answer.
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { fail } from "./errors.ts";

/**
 * Refuses a body of more than `limit` bytes, whether its length was announced or not.
 * @param limit bytes
 */
export function limitBody(limit: number): MiddlewareHandler {
  return async (c, next) => {
    const { body, headers } = c.req.raw;
    if (body !== null) {
      if (Number(headers.get("content-length") ?? 0) > limit) {
        await body.cancel();
        fail("PAYLOAD_TOO_LARGE");
      }
      if (!headers.has("content-length")) {
        c.req.raw = new Request(c.req.raw, { body: await readUpTo(limit, body) });
      }
    }
    await next();
  };
}

async function readUpTo(limit: number, body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early cancels the stream.
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) fail("PAYLOAD_TOO_LARGE");
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
