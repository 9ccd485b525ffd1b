/**
 * What a route says of itself in the document, besides what follows from its guards.
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { Fault } from "./errors.ts";
import { REQUEST_ID } from "./headers.ts";

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

/** The words of an operation. */
export interface RouteDescription {
  readonly operationId: string;
  readonly tag: (typeof TAGS)[number]["name"];
  readonly summary: string;
  readonly description: string;
  /** What the body is, where there has to be one. */
  readonly body?: string;
  /** Answers that are no errors, by status. */
  readonly answers: Readonly<Record<number, ReturnType<typeof good>>>;
  /** Errors of the use case, and what a guard's own means here where that is more than its sentence says. */
  readonly faults?: readonly Fault[];
}

/** An answer that is no error, in JSON unless it names another type. */
export function good(description: string, schema: z.ZodType, type = "application/json") {
  return { description, headers: REQUEST_ID, content: { [type]: { schema } } };
}
