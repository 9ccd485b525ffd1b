/**
 * The largest and the slowest body that is read.
 *
 * Hono's own limit leaves the rest of a body that is too large unread, and the connection hanging with it;
 * this one gives the rest up, so that the connection ends with the answer.
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { fail } from "./errors.ts";

/** Methods whose bodies mean anything here. Others can have one, too, and some of them no `Request` can hold. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** Stands for the request's own URL, which nothing asks for once its route is known: not every `Host` makes one. */
const SOME_URL = "http://localhost/";

/**
 * Refuses a body of more than `limit` bytes, whether its length was announced or not, and one that has not
 * arrived within `withinMs` milliseconds, or never will.
 */
export function limitBody(limit: number, withinMs: number): MiddlewareHandler {
  return async (c, next) => {
    const { body, headers, method } = c.req.raw;
    if (body !== null) {
      if (!WITH_BODY.has(method)) {
        await body.cancel();
      } else if (Number(headers.get("content-length") ?? 0) > limit) {
        await body.cancel();
        fail("PAYLOAD_TOO_LARGE");
      } else {
        c.req.raw = new Request(SOME_URL, { method, headers, body: await read(body, limit, withinMs) });
      }
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
  // The caller has hung up, or has sent no chunk where one had to be: no fault of the service's.
  const next = () => reader.read().catch(() => fail("INVALID_REQUEST", "The body broke off."));
  const whole = new Uint8Array(limit);
  let size = 0;
  try {
    for (let part = await next(); !part.done; part = await next()) {
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

/** What a text has to be to be JSON (RFC 8259, §8.1); a byte order mark is left out. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Refuses a body that is not `application/json`, or no text in UTF-8; to be used after `limitBody`. */
export const requireJson: MiddlewareHandler = async (c, next) => {
  const { headers, method, body } = c.req.raw;
  // Another method is a fault of its own, told once the route is known.
  if (method === "POST") {
    const [type] = (headers.get("content-type") ?? "").split(";", 1);
    if (type?.trim().toLowerCase() !== "application/json") fail("UNSUPPORTED_MEDIA_TYPE");
    if (body !== null) {
      // Validation knows fewer spellings of the media type.
      const plain = new Headers(headers);
      plain.set("content-type", "application/json");
      c.req.raw = new Request(SOME_URL, {
        method,
        headers: plain,
        body: decode(await c.req.raw.arrayBuffer()),
      });
    }
  }
  await next();
};

function decode(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    fail("INVALID_REQUEST", "The body is not valid UTF-8.");
  }
}
