/**
 * The one way of a request: through the guards, to its route's handler, and out as a response.
 *
 * The order, in which the first refusal is the answer:
 * 1. the caller: 403 `FORBIDDEN`, 401 `UNAUTHORIZED`
 * 2. how often its key asks, then how often anybody asks for this instance: 429 `TOO_MANY_REQUESTS`
 * 3. the size of the body, and its time: 413 `PAYLOAD_TOO_LARGE`, 400 `INVALID_REQUEST`
 * 4. the path, then its method: 404 `NOT_FOUND`, 405 `METHOD_NOT_ALLOWED`
 * 5. the form of the body: 415 `UNSUPPORTED_MEDIA_TYPE`, 400 `INVALID_REQUEST`
 * 6. the id, the query, the fields: 400 `INVALID_REQUEST`
 * 7. what the use case says
 *
 * What is known without waiting is answered without a promise: each costs a turn of the event loop.
 *
 * Source: decisions, "Endpoints" and "Callers".
 * @module
 */
import { INSTANCE_ID } from "@session-manager/contract";
import type { MaybePromise } from "../../sessions/ports/store.ts";
import type { Log } from "../ports.ts";
import { announcesBody, BODY_BOUNDS, type Bytes, readBody } from "./body.ts";
import { type Caller, callerGuard, Keyring } from "./keys.ts";
import { checkRate, limitersOf, type RateLimits } from "./limits.ts";
import { createMatcher, type Match } from "./matching.ts";
import { isRefusal, type Refusal, refusalOf, refuse } from "./refusal.ts";
import { type Reply, replyOf, respond } from "./reply.ts";
import { givenId, methodOf, report, type RequestMeter } from "./report.ts";
import type { Resource } from "./route.ts";
import { readInput } from "./validation.ts";

export interface PipelineOptions {
  readonly resources: readonly Resource[];
  readonly hubKeys: readonly string[];
  readonly internalKeys: readonly string[];
  readonly rateLimits: RateLimits;
  readonly log: Log;
  readonly meter: RequestMeter;
  /** How long a body may take to arrive, in milliseconds. */
  readonly bodyMs?: number;
}

/** A request under way. */
interface Visit extends Match {
  readonly request: Request;
  /** Milliseconds, by a clock that nobody sets. */
  readonly since: number;
}

const NOT_FOUND = refuse("NOT_FOUND");

/** Composes the guards once. @returns what answers a request */
export function createPipeline(options: PipelineOptions): (request: Request) => MaybePromise<Response> {
  const { log, meter, bodyMs } = options;
  const match = createMatcher(options.resources);
  const callerOf = callerGuard({
    hub: new Keyring(options.hubKeys),
    internal: new Keyring(options.internalKeys),
  });
  const limiters = limitersOf(options.rateLimits);
  const bodyBounds = { ...BODY_BOUNDS, ...(bodyMs === undefined ? {} : { ms: bodyMs }) };

  /** Who calls, unless it is refused; by headers alone. */
  const admit = ({ request, place, params, since }: Visit): Caller | Refusal => {
    const caller = callerOf(request, place.role);
    if (isRefusal(caller) || !place.isApi) return caller;
    const tooMany = checkRate(limiters.key, caller.key, since);
    if (tooMany !== null) return tooMany;
    const limit = place.kind === "route" ? place.route.limit : undefined;
    // Names that callers make up are not remembered.
    if (limit === undefined || !INSTANCE_ID.test(params.instance_id ?? "")) return caller;
    return checkRate(limiters[limit], params.instance_id!, since) ?? caller;
  };

  /** What the request is answered, once its body is there. */
  const answer = (
    { request, place, params }: Visit,
    caller: Caller,
    bytes: Bytes | null,
  ): MaybePromise<Reply | Refusal> => {
    switch (place.kind) {
      case "route": {
        const input = readInput(place.route, { request, caller, params, bytes });
        return isRefusal(input) ? input : place.route.handle(input);
      }
      case "wrong_method":
        return refuse("METHOD_NOT_ALLOWED", undefined, { allow: place.allow });
      case "unknown":
        return NOT_FOUND;
      default:
        return place satisfies never;
    }
  };

  const pass = (visit: Visit): MaybePromise<Reply | Refusal> => {
    const caller = admit(visit);
    if (isRefusal(caller)) return caller;
    const { request, place } = visit;
    const wantsBody = place.kind === "route" && place.route.body !== undefined;
    if (!place.isApi || !(wantsBody || announcesBody(request))) return answer(visit, caller, null);
    return readBody(request, bodyBounds).then((bytes) =>
      isRefusal(bytes) ? bytes : answer(visit, caller, bytes)
    );
  };

  /** Counts and tells the answer, and makes a response of it. */
  const finish = ({ request, place, params, since }: Visit, outcome: Reply | Refusal, wasKnown: boolean) => {
    const reply = isRefusal(outcome) ? replyOf(outcome) : outcome;
    const { status } = reply;
    const method = methodOf(request.method);
    const isPolled = place.kind === "route" && place.route.isPolled === true && method === place.route.method;
    // A caller that polls would fill the log with good news.
    const isNews = status >= 400 || (method !== "GET" && !(isPolled && wasKnown));
    const requestId = givenId(request.headers.get("x-request-id")) ??
      (isNews || !isPolled ? crypto.randomUUID() : null);
    report(log, meter, {
      requestId,
      route: place.pattern,
      method,
      status,
      seconds: (performance.now() - since) / 1_000,
      instanceId: params.instance_id,
      isNews,
    });
    return respond(reply, requestId, method === "HEAD");
  };

  const fail = (visit: Visit, thrown: unknown): Response => {
    const { place, request } = visit;
    const failure = place.kind === "route" ? place.route.failure : undefined;
    const refusal = refusalOf(thrown, failure ?? "SESSION_MANAGER_ERROR", request.method, log);
    return finish(visit, refusal, false);
  };

  return (request) => {
    const since = performance.now();
    const { place, params } = match(request);
    const visit: Visit = { request, place, params, since };
    try {
      const outcome = pass(visit);
      if (!(outcome instanceof Promise)) return finish(visit, outcome, true);
      return outcome.then((made) => finish(visit, made, false), (thrown) => fail(visit, thrown));
    } catch (thrown) {
      return fail(visit, thrown);
    }
  };
}
