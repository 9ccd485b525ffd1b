/**
 * The way of the two questions that a Hub asks all day: a session's state, and its QR. They are answered here,
 * without the framework, from the same keys, limits, use cases and errors; whatever is not plainly one of them
 * (a fault of the caller's, an escaped name, a body, another method) takes the usual way.
 *
 * It exists for its speed: middleware by middleware, a state read from memory took nine times the processor time
 * of a bare Hono route. What is known at once is answered at once, without a promise, and without a header more
 * than has to be, since each costs 2 µs and more.
 * @module
 */
import { ERRORS } from "@session-manager/contract";
import { INSTANCE_ID } from "@session-manager/contract";
import type { Keyring } from "./auth.ts";
import { errorBody, known, logFailure } from "./errors.ts";
import { givenId, isNoNews, type RequestMeter, tellOf } from "./observed.ts";
import type { Log, Sessions } from "./ports.ts";
import { admit, type Limiters } from "./rate_limit.ts";

export interface ExpressOptions {
  /** What the contract's paths begin with. */
  readonly basePath: string;
  readonly sessions: Pick<Sessions, "read" | "requestQr">;
  readonly keys: Keyring;
  readonly limiters: Limiters;
  readonly log: Log;
  readonly meter: RequestMeter;
}

/** A request under way. */
interface Passage {
  readonly route: string;
  readonly method: "GET" | "POST";
  readonly instanceId: string;
  readonly givenId: string | null;
  /** Milliseconds, by the clock that nobody sets: 0.07 µs more to read than the wall's, and always right. */
  readonly since: number;
}

const QR = "/qr";

/** Every answer's. */
const HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** Answers a request, or null when it has to take the usual way. Nothing has been counted then. */
export function expressLane(
  options: ExpressOptions,
): (request: Request) => Response | Promise<Response> | null {
  const { basePath, sessions, keys, limiters, log, meter } = options;
  const prefix = `${basePath}/sessions/`;
  const readRoute = `${prefix}:instance_id`;
  const qrRoute = `${readRoute}${QR}`;

  const repeated = new Repeated();

  /** Counts the answer, and writes its line. */
  const settle = (passage: Passage, status: number, isNews: boolean): string | undefined => {
    const { route, method, instanceId, since } = passage;
    // An answer that leaves no line in the log needs no name of ours to be found by.
    const requestId = passage.givenId ?? (isNews ? crypto.randomUUID() : undefined);
    const seconds = (performance.now() - since) / 1_000;
    tellOf(log, meter, { requestId, route, method, status, seconds, instanceId, isNews });
    return requestId;
  };

  const answer = (passage: Passage, body: object, isNews: boolean): Response => {
    const requestId = settle(passage, 200, isNews);
    if (requestId === undefined) return repeated.answer(body);
    return new Response(JSON.stringify(body), { headers: { ...HEADERS, "x-request-id": requestId } });
  };

  const refuse = (passage: Passage, thrown: unknown): Response => {
    const error = known(thrown, passage.method === "POST" ? "QR_GENERATION_FAILED" : "SESSION_MANAGER_ERROR");
    logFailure(log, passage.method, error);
    const { status } = ERRORS[error.code];
    const headers: Record<string, string> = { ...HEADERS };
    const requestId = settle(passage, status, true);
    if (requestId !== undefined) headers["x-request-id"] = requestId;
    if (error.retryAfterSeconds !== undefined) headers["retry-after"] = String(error.retryAfterSeconds);
    return new Response(JSON.stringify(errorBody(error)), { status, headers });
  };

  const pass = (passage: Passage, key: string): Response | Promise<Response> => {
    const { method, instanceId, since } = passage;
    try {
      admit(limiters.key, key, since);
      admit(method === "GET" ? limiters.read : limiters.qr, instanceId, since);
      const body = method === "GET" ? sessions.read(instanceId) : sessions.requestQr(instanceId);
      // What was there already is no news.
      if (!(body instanceof Promise)) return answer(passage, body, false);
      return body.then(
        (made) => answer(passage, made, !isNoNews(method, 200)),
        (thrown) => refuse(passage, thrown),
      );
    } catch (thrown) {
      return refuse(passage, thrown);
    }
  };

  return (request) => {
    const { method, url } = request;
    const isQr = method === "POST";
    if (!isQr && method !== "GET") return null;
    const pathAt = url.indexOf("/", "http://".length);
    if (!url.startsWith(prefix, pathAt)) return null;
    if (isQr && !url.endsWith(QR)) return null;
    const instanceId = url.slice(pathAt + prefix.length, isQr ? -QR.length : undefined);
    if (!INSTANCE_ID.test(instanceId)) return null;
    const { headers } = request;
    const key = keys.callerOf(request);
    if (key === null || (isQr && hasBody(headers))) return null;
    return pass({
      route: isQr ? qrRoute : readRoute,
      method,
      instanceId,
      givenId: givenId(headers.get("x-request-id")),
      since: performance.now(),
    }, key);
  };
}

/**
 * Answers with nothing to add. As long as a session stays as it is, what is told of it is the very same object:
 * from the third time on its answer is a copy, which takes 1 to 2 µs less than to make one.
 */
class Repeated {
  readonly #given = new WeakSet<object>();
  readonly #patterns = new WeakMap<object, Response>();

  answer(body: object): Response {
    const pattern = this.#patterns.get(body);
    if (pattern !== undefined) return pattern.clone();
    const response = new Response(JSON.stringify(body), { headers: HEADERS });
    if (!this.#given.has(body)) this.#given.add(body);
    else this.#patterns.set(body, response.clone());
    return response;
  }
}

/** By its headers: asked for the body itself, the runtime makes a stream of it whether there is one or not. */
function hasBody(headers: Headers): boolean {
  return (headers.get("content-length") ?? "0") !== "0" || headers.get("transfer-encoding") !== null;
}
