/**
 * The front door. No state is decided here: requests are checked, use cases called, errors named.
 * @module
 */
import { type Hook, OpenAPIHono } from "@hono/zod-openapi";
import type { Env, MiddlewareHandler } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { SessionManagerError } from "../domain/errors.ts";
import { describeSecurity, Keyring, requireKey } from "./auth.ts";
import { limitBody, requireJson } from "./body_limit.ts";
import { requireLocal } from "./callers.ts";
import { docsRoutes } from "./docs.ts";
import { errorAnswer, fail, failAs, onError } from "./errors.ts";
import { expressLane } from "./express.ts";
import { internalEventRoutes } from "./internal_events.ts";
import { observed, type RequestMeter } from "./observed.ts";
import { operationRoutes } from "./operations.ts";
import { describeHeaders } from "./openapi.ts";
import type { Log, Operations, Sessions } from "./ports.ts";
import { byInstance, byKey, type Limiters, limitersOf, limitRate, type RateLimits } from "./rate_limit.ts";
import { sessionRoutes } from "./sessions.ts";

const BASE_PATH = "/api/session-manager";

/** The largest body that is read, in bytes, and how long it may take to arrive, in milliseconds. */
const BODY_LIMIT = 64 * 1024;
const BODY_MS = 10_000;

export interface AppOptions {
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly hubKeys: readonly string[];
  readonly internalKeys: readonly string[];
  readonly rateLimits: RateLimits;
  readonly log: Log;
  readonly meter: RequestMeter;
  /** How long a body may take to arrive, in milliseconds. */
  readonly bodyMs?: number;
}

/** The whole HTTP surface, as a function from request to answer. */
export function createApp(options: AppOptions): OpenAPIHono {
  const { log, meter, operations, sessions } = options;
  const hubKeys = new Keyring(options.hubKeys);
  const internalKeys = new Keyring(options.internalKeys);
  const limiters = limitersOf(options.rateLimits);
  const app = new OpenAPIHono({ defaultHook: rejectInvalid });
  app.onError(onError(log));
  app.notFound((c) => errorAnswer(c, new SessionManagerError("NOT_FOUND")));
  app.use(observed(log, meter));
  app.use(noStore);
  // Where one kind of caller has a key, so do its endpoints; the others ask for themselves.
  if (hubKeys.isEmpty && internalKeys.isEmpty) app.use(requireLocal);
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) => {
      c.header("Allow", methods.join(", "));
      c.header("Cache-Control", "no-store");
      return errorAnswer(c, new SessionManagerError("METHOD_NOT_ALLOWED"));
    },
  }));
  app.route(BASE_PATH, contract(options, hubKeys, internalKeys, limiters));
  app.use("/metrics", requireKey(internalKeys));
  operationRoutes(app, operations);
  describeSecurity(app);
  describeHeaders(app);
  docsRoutes(app);
  const express = expressLane({ basePath: BASE_PATH, sessions, keys: hubKeys, limiters, log, meter });
  const { fetch } = app;
  app.fetch = (request, ...rest) => express(request) ?? fetch(request, ...rest);
  return app;
}

/** The contract's four endpoints. */
function contract(
  { sessions, bodyMs = BODY_MS }: AppOptions,
  hubKeys: Keyring,
  internalKeys: Keyring,
  limiters: Limiters,
): OpenAPIHono {
  const api = new OpenAPIHono({ defaultHook: rejectInvalid });
  api.use("/sessions/*", requireKey(hubKeys));
  api.use("/internal/*", requireKey(internalKeys));
  api.use(limitRate(limiters.key, byKey));
  api.get("/sessions/:instance_id", limitRate(limiters.read, byInstance));
  api.use("/sessions/:instance_id/qr", failAs("QR_GENERATION_FAILED"));
  api.post("/sessions/:instance_id/qr", limitRate(limiters.qr, byInstance));
  api.use(limitBody(BODY_LIMIT, bodyMs));
  api.use("/internal/*", requireJson);
  sessionRoutes(api, sessions);
  internalEventRoutes(api, sessions);
  return api;
}

const noStore: MiddlewareHandler = async (c, next) => {
  c.header("Cache-Control", "no-store");
  await next();
};

/** The first fault of a request, in the words of its schema, which name the field. */
const rejectInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (!result.success) fail("INVALID_REQUEST", result.error.issues[0]?.message);
};
