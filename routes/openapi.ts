/**
 * The parts of a route's description that all routes share.
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import { type ErrorCode, ERRORS } from "@session-manager/contract";
import { ErrorAnswer } from "./schemas.ts";

/** What operations are grouped by, in this order. */
export const TAGS = [
  {
    name: "Sessions",
    description: "What the Central Hub asks: the state of a session, and its QR.",
  },
  {
    name: "Internal events",
    description: "What trusted parts of the same system report of a session.",
  },
  {
    name: "Operations",
    description: "What an operator's machines ask: is the process alive, is it ready, how is it doing.",
  },
] as const;

/** The name of one of them, as an operation carries it. */
export const tagged = (name: (typeof TAGS)[number]["name"]) => ({ tags: [name] });

const header = (name: string) => ({ $ref: `#/components/headers/${name}` });

const REQUEST_ID = { "X-Request-Id": header("RequestId") };

/** Headers besides, by the status of an error. */
const ERROR_HEADERS: Readonly<Record<number, Record<string, { $ref: string }>>> = {
  401: { "WWW-Authenticate": header("Authenticate") },
  429: { "Retry-After": header("RetryAfter") },
  500: { "Retry-After": header("RetryAfter") },
};

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

/** The content of an answer, or of a body, that is JSON. */
export const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });

/** A JSON body that has to be there. */
export function body<T extends z.ZodType>(schema: T, description: string) {
  return { body: { content: json(schema), required: true, description } };
}

/** An answer that is no error. */
export function good<C>(description: string, content: C) {
  return { description, headers: REQUEST_ID, content };
}

/** An error that an operation answers, and when, where that is more than its sentence says. */
export type Fault = ErrorCode | { readonly code: ErrorCode; readonly when: string };

const WHEN: Partial<Record<ErrorCode, string>> = {
  INVALID_REQUEST: "The request is not valid; the message names the field.",
  FORBIDDEN:
    "No key is set, and the caller is no program of the service's machine, or a page of another site.",
};

/** The errors of an operation, by status. */
export function errors(faults: readonly Fault[]) {
  return Object.fromEntries(faults.map((fault) => {
    const code = typeof fault === "string" ? fault : fault.code;
    const { status, message } = ERRORS[code];
    const when = typeof fault === "string" ? WHEN[code] ?? message : fault.when;
    return [status, {
      description: `${code}: ${when}`,
      headers: { ...REQUEST_ID, ...ERROR_HEADERS[status] },
      content: { "application/json": { schema: ErrorAnswer, example: { error: { code, message } } } },
    }];
  }));
}

/** The good answer, and the errors. */
export function answers<T extends z.ZodType>(schema: T, description: string, faults: readonly Fault[]) {
  return { ...errors(faults), 200: good(description, json(schema)) };
}
