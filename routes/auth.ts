/**
 * Who may call: `Authorization: Bearer <key>`, one set of keys for the Hub and one for internal callers.
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { fail } from "./errors.ts";

/**
 * Lets through who presents one of `keys`; everybody, when there are none (then the service listens on
 * loopback alone). Digests are compared, all of them and in constant time, so that neither a key's
 * length nor its beginning can be felt out.
 */
export function requireKey(keys: readonly string[]): MiddlewareHandler {
  const digests = keys.map(digest);
  return async (c, next) => {
    if (digests.length > 0) {
      const presented = digest(bearer(c.req.header("authorization")));
      const matches = digests.filter((known) => timingSafeEqual(known, presented));
      if (matches.length === 0) {
        c.header("WWW-Authenticate", "Bearer");
        fail("UNAUTHORIZED");
      }
    }
    await next();
  };
}

function bearer(header: string | undefined): string {
  return /^bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? "";
}

function digest(key: string): Uint8Array {
  return createHash("sha256").update(key).digest();
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
