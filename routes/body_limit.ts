/**
 * The largest and the slowest body that is read.
 *
 * Hono's own limit leaves the rest of a body that is too large unread, and the connection hanging with it;
 * this one gives the rest up, so that the connection ends with the answer.
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { fail } from "./errors.ts";

/**
 * Refuses a body of more than `limit` bytes, whether its length was announced or not, and one that has not
 * arrived within `withinMs` milliseconds.
 */
export function limitBody(limit: number, withinMs: number): MiddlewareHandler {
  return async (c, next) => {
    const { body, headers, method, url } = c.req.raw;
    if (body !== null) {
      if (Number(headers.get("content-length") ?? 0) > limit) {
        await body.cancel();
        fail("PAYLOAD_TOO_LARGE");
      }
      c.req.raw = new Request(url, { method, headers, body: await read(body, limit, withinMs) });
    }
    await next();
  };
}

async function read(
  body: ReadableStream<Uint8Array>,
  limit: number,
  withinMs: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel();
  }, withinMs);
  const whole = new Uint8Array(limit);
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (size + part.value.length > limit) {
        await reader.cancel();
        fail("PAYLOAD_TOO_LARGE");
      }
      whole.set(part.value, size);
      size += part.value.length;
    }
  } finally {
    clearTimeout(timer);
  }
  if (isLate) fail("INVALID_REQUEST", "The body did not arrive in time.");
  return whole.slice(0, size);
}
