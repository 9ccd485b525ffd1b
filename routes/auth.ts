/**
 * Who may call: `Authorization: Bearer <key>`, one set of keys for the Hub and one for internal callers.
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { fail } from "./errors.ts";

const ENCODER = new TextEncoder();
const BEARER = /^bearer +(\S+) *$/i;

/**
 * Keys, one of which a caller has to present; where there are none everybody may call, for then the service
 * listens on loopback alone.
 *
 * All of them are compared, whole and over the same number of bytes whatever was presented, so that neither a
 * key's length nor its beginning can be felt out. Digests would do the same for twenty times the price: 25 µs
 * of processor time a request, more than all the rest of it.
 */
export class Keyring {
  readonly #keys: readonly Uint8Array[];
  readonly #presented: Uint8Array<ArrayBuffer>;

  constructor(keys: readonly string[]) {
    const bytes = keys.map((key) => ENCODER.encode(key));
    const size = Math.max(0, ...bytes.map(({ length }) => length));
    this.#keys = bytes.map((key) => padded(key, size));
    this.#presented = new Uint8Array(size);
  }

  /** @param header of a request, `Authorization` */
  accepts(header: string | null | undefined): boolean {
    if (this.#keys.length === 0) return true;
    const text = BEARER.exec(header ?? "")?.[1] ?? "";
    this.#presented.fill(0);
    // What is longer than every key is not read to its end, and is none of them.
    const { read } = ENCODER.encodeInto(text, this.#presented);
    let matches = 0;
    for (const key of this.#keys) matches += Number(isSame(key, this.#presented));
    return matches > 0 && read === text.length;
  }
}

/** Compares every byte. A key holds no zero byte, so that what is shorter differs in its padding. */
function isSame(key: Uint8Array, presented: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < key.length; i++) difference |= key[i]! ^ presented[i]!;
  return difference === 0;
}

function padded(key: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(key);
  return bytes;
}

/** Lets through who presents one of the keys. */
export function requireKey(keys: Keyring): MiddlewareHandler {
  return async (c, next) => {
    if (!keys.accepts(c.req.header("authorization"))) {
      c.header("WWW-Authenticate", "Bearer");
      fail("UNAUTHORIZED");
    }
    await next();
  };
}

/** Which key an endpoint wants, for its description. */
export const HUB_KEY = [{ hubKey: [] }];
export const INTERNAL_KEY = [{ internalKey: [] }];

/** Describes both kinds of key in the OpenAPI document. */
export function describeSecurity({ openAPIRegistry }: OpenAPIHono): void {
  for (const [name, variable] of [["hubKey", "HUB_API_KEY"], ["internalKey", "INTERNAL_API_KEY"]] as const) {
    openAPIRegistry.registerComponent("securitySchemes", name, {
      type: "http",
      scheme: "bearer",
      description: `One of ${variable}, where it is set.`,
    });
  }
}
