/**
 * A route as a plain value: what the pipeline does before its handler, and what the document says of it.
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { RouteDescription } from "../document/description.ts";
import type { MaybePromise } from "../../sessions/ports/store.ts";
import type { Caller, Role } from "./keys.ts";
import type { InstanceLimit } from "./limits.ts";
import type { FailureCode } from "./refusal.ts";
import type { Reply } from "./reply.ts";

/** Methods that routes have. `HEAD` is answered wherever `GET` is. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What a handler is given: all of it checked. */
export interface Input<P, Q, B> {
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** For its signal, and for headers that are the route's own. */
  readonly request: Request;
}

/** One method of one path. */
export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  /** As the OpenAPI document spells it: `/{instance_id}/qr`, below its resource. */
  readonly path: string;
  readonly role: Role;
  /** How often it may be asked for one instance, which the path names as `instance_id`. */
  readonly limit?: InstanceLimit;
  /** The code of a failure that has none of its own; `SESSION_MANAGER_ERROR` unless it says otherwise. */
  readonly failure?: FailureCode;
  /**
   * True when callers ask it all day. An answer that was known already is no news then: it leaves no line in the log,
   * and needs no request id of ours to be found by.
   */
  readonly isPolled?: boolean;
  readonly params?: P;
  readonly query?: Q;
  /** The JSON that has to be sent; without it a body is read and ignored. */
  readonly body?: B;
  /** Left out where the document does not name it. */
  readonly description?: RouteDescription;
  /** Answers; without a promise where the answer is known. */
  handle(input: Input<z.output<P>, z.output<Q>, z.output<B>>): MaybePromise<Reply>;
}

/** Routes with a path in common. */
export interface Resource {
  /** What their paths begin with. */
  readonly under: string;
  /** Who is told that a path below it has no route. */
  readonly role: Role;
  /** True when it belongs to the API: it is limited for each key, and bodies are read, within their bounds. */
  readonly isApi: boolean;
  readonly routes: readonly Route[];
}

/** A route whose handler is given what its schemas make of the request. */
export function route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
>(value: Route<P, Q, B>): Route {
  return value;
}
