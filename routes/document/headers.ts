/**
 * The headers of answers, as the document describes them.
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";

/** A header, by its name among the document's components. */
export const header = (name: string) => ({ $ref: `#/components/headers/${name}` });

/** The header that any answer may have. */
export const REQUEST_ID = { "X-Request-Id": header("RequestId") };

/** Describes the headers of answers, once for all of them. */
export function describeHeaders({ openAPIRegistry }: OpenAPIHono): void {
  openAPIRegistry.registerComponent("headers", "RequestId", {
    description:
      "The caller's own X-Request-Id, where it sent one that fits; otherwise one that the service made up. Left out of an answer that leaves no line in the log: a GET that succeeds, and a QR that was shown already.",
    schema: { type: "string", pattern: "^[A-Za-z0-9_.:-]{1,64}$" },
    example: "hub-7f3a",
  });
  openAPIRegistry.registerComponent("headers", "RetryAfter", {
    description: "Whole seconds after which to repeat the request; absent where repeating it does not help.",
    schema: { type: "integer", minimum: 1 },
    example: 5,
  });
  openAPIRegistry.registerComponent("headers", "Authenticate", {
    description: "How to present a key.",
    schema: { type: "string", const: "Bearer" },
    example: "Bearer",
  });
}
