/**
 * The largest and the slowest body that is read.
 *
 * Source: decisions, "Endpoints": 413 `PAYLOAD_TOO_LARGE`.
 * @module
 */
import { type Refusal, refuse } from "./refusal.ts";

/** Bytes of a body. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The largest body that is read, in bytes, and how long it may take to arrive, in milliseconds. */
export interface BodyBounds {
  readonly bytes: number;
  readonly ms: number;
}

/** The product's own; the error's sentence names the size. */
export const BODY_BOUNDS: BodyBounds = { bytes: 64 * 1024, ms: 10_000 };

/** Methods whose bodies mean anything here. Others can have one, too, and some of them no `Request` can hold. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH", "DELETE"]);

const TOO_LARGE = refuse("PAYLOAD_TOO_LARGE");
const LATE = refuse("INVALID_REQUEST", "The body did not arrive in time.");
/** The caller has hung up, or has sent no chunk where one had to be: no fault of the service's. */
const BROKEN = refuse("INVALID_REQUEST", "The body broke off.");

/**
 * True when a body is announced that means anything. Asked for the body itself, the runtime makes a stream of it
 * whether there is one or not.
 */
export function announcesBody({ method, headers }: Pick<Request, "method" | "headers">): boolean {
  return WITH_BODY.has(method) &&
    ((headers.get("content-length") ?? "0") !== "0" || headers.get("transfer-encoding") !== null);
}

/**
 * Reads a body whole. One that is too large, whether its length was announced or not, or too slow is given up, so
 * that the connection ends with the answer and does not hang with the rest.
 */
export async function readBody(
  { body, headers }: Pick<Request, "body" | "headers">,
  { bytes: limit, ms }: BodyBounds,
): Promise<Bytes | Refusal> {
  if (body === null) return new Uint8Array();
  if (Number(headers.get("content-length") ?? 0) > limit) {
    await body.cancel();
    return TOO_LARGE;
  }
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel();
  }, ms);
  const whole = new Uint8Array(limit);
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (size + part.value.length > limit) {
        await reader.cancel();
        return TOO_LARGE;
      }
      whole.set(part.value, size);
      size += part.value.length;
    }
  } catch {
    return BROKEN;
  } finally {
    clearTimeout(timer);
  }
  return isLate ? LATE : whole.slice(0, size);
}
