/**
 * The front door. No state is decided here: requests are checked, use cases called, errors named.
 * @module
 */
import { type Hook, OpenAPIHono } from "@hono/zod-openapi";
import type { Env, MiddlewareHandler } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { SessionManagerError } from "../domain/errors.ts";
import { requireKey } from "./auth.ts";
import { limitBody } from "./body_limit.ts";
import { errorAnswer, fail, onError } from "./errors.ts";
import { internalEventRoutes } from "./internal_events.ts";
import type { Log, Sessions } from "./ports.ts";
import { sessionRoutes } from "./sessions.ts";

const BASE_PATH = "/api/session-manager";

/** The largest body that is read, in bytes. */
const BODY_LIMIT = 64 * 1024;

export interface AppOptions {
  readonly sessions: Sessions;
  readonly hubKeys: readonly string[];
  readonly internalKeys: readonly string[];
  readonly log: Log;
}

/** The whole HTTP surface, as a function from request to answer. */
export function createApp({ sessions, hubKeys, internalKeys, log }: AppOptions): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: rejectInvalid });
  const api = new OpenAPIHono({ defaultHook: rejectInvalid });
  app.onError(onError(log));
  app.notFound((c) => errorAnswer(c, new SessionManagerError("NOT_FOUND")));
  app.use(noStore);
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) => {
      c.header("Allow", methods.join(", "));
      c.header("Cache-Control", "no-store");
      return errorAnswer(c, new SessionManagerError("METHOD_NOT_ALLOWED"));
    },
  }));

  api.use("/sessions/*", requireKey(hubKeys));
  api.use("/internal/*", requireKey(internalKeys));
  api.use(limitBody(BODY_LIMIT));
  api.use("/internal/*", requireJson);
  sessionRoutes(api, sessions);
  internalEventRoutes(api, sessions);

  app.route(BASE_PATH, api);
  return app;
}

const noStore: MiddlewareHandler = async (c, next) => {
  c.header("Cache-Control", "no-store");
  await next();
};

const requireJson: MiddlewareHandler = async (c, next) => {
  const [type] = (c.req.header("content-type") ?? "").split(";", 1);
  const isJson = type?.trim().toLowerCase() === "application/json";
  // Another method is a fault of its own, told once the route is known.
  if (c.req.method === "POST" && !isJson) fail("UNSUPPORTED_MEDIA_TYPE");
  await next();
};

/** The first fault of a request, in the words of its schema, which name the field. */
const rejectInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (!result.success) fail("INVALID_REQUEST", result.error.issues[0]?.message);
};
