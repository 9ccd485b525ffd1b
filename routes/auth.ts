/**
 * Who may call: `Authorization: Bearer <key>`, one set of keys for the Hub and one for internal callers.
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { isLocal, refuseForeign } from "./callers.ts";
import { fail } from "./errors.ts";

const BEARER = /^bearer +(\S+) *$/i;
const USUAL = "Bearer ";

/**
 * Keys, one of which a caller has to present; where there are none every program of this machine may call, for
 * then the service listens on loopback alone.
 *
 * All of them are compared, whole and over the same number of bytes whatever was presented, so that neither a
 * key's length nor its beginning can be felt out. Digests would do the same for twenty times the price: 25 µs
 * of processor time a request, more than all the rest of it.
 */
export class Keyring {
  readonly #keys: readonly { readonly key: string; readonly codes: Uint16Array }[];
  readonly #size: number;

  constructor(keys: readonly string[]) {
    const size = Math.max(0, ...keys.map(({ length }) => length));
    this.#size = size;
    this.#keys = keys.map((key) => ({
      key,
      codes: Uint16Array.from({ length: size }, (_, i) => codeAt(key, i)),
    }));
  }

  /** True when no key is asked for. */
  get isEmpty(): boolean {
    return this.#keys.length === 0;
  }

  /**
   * The caller that a request comes from: the key that it presents, or an empty text for a program of this machine
   * where no key is asked for. Null when it is to be refused.
   */
  callerOf(request: Pick<Request, "url" | "headers">): string | null {
    // Where a key is presented it does not matter what else a browser says: pages of other sites have none.
    if (!this.isEmpty) return this.identify(request.headers.get("authorization"));
    return isLocal(request) ? "" : null;
  }

  /**
   * The key that a caller has presented, or null when it is none of these.
   * @param header of a request, `Authorization`
   */
  identify(header: string | null): string | null {
    const presented = presentedIn(header ?? "");
    let identified: string | null = null;
    for (const { key, codes } of this.#keys) if (isSame(codes, presented)) identified = key;
    // What is longer than every key has not been read to its end, and is none of them.
    return presented.length <= this.#size ? identified : null;
  }
}

/** The key in a header; nothing where there is none. */
function presentedIn(header: string): string {
  // As nearly everybody writes it, and quicker to tell than by the expression.
  if (header.startsWith(USUAL) && header.lastIndexOf(" ") < USUAL.length) return header.slice(USUAL.length);
  return BEARER.exec(header)?.[1] ?? "";
}

/** Compares every character. A key holds no zero, so that what is shorter differs in its padding. */
function isSame(key: Uint16Array, presented: string): boolean {
  let difference = 0;
  for (let i = 0; i < key.length; i++) difference |= key[i]! ^ codeAt(presented, i);
  return difference === 0;
}

function codeAt(text: string, index: number): number {
  return index < text.length ? text.charCodeAt(index) : 0;
}

/** Lets through who presents one of the keys, or where there are none, the programs of this machine. */
export function requireKey(keys: Keyring): MiddlewareHandler {
  return async (c, next) => {
    const key = keys.callerOf(c.req.raw);
    if (key === null) {
      if (keys.isEmpty) refuseForeign();
      c.header("WWW-Authenticate", "Bearer");
      fail("UNAUTHORIZED");
    }
    c.set("key", key);
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
