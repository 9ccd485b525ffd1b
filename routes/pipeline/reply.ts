/**
 * What a handler answers, and the HTTP response that it becomes.
 * @module
 */
import { ERRORS } from "@session-manager/contract";
import type { Refusal } from "./refusal.ts";

/** An answer before it has the headers that every answer has. */
export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  /** Null where there is no body. */
  readonly type: string | null;
  readonly body: string | ReadableStream<Uint8Array> | null;
  /** Headers besides, by their names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = "application/json";

/** A reply in JSON. */
export function json(value: unknown, status = 200): Reply {
  return { kind: "reply", status, type: JSON_TYPE, body: JSON.stringify(value) };
}

/** A reply of another type, such as a page or a stream. */
export function content(
  type: string,
  body: string | ReadableStream<Uint8Array>,
  headers?: Readonly<Record<string, string>>,
): Reply {
  return { kind: "reply", status: 200, type, body, ...(headers === undefined ? {} : { headers }) };
}

/** A refusal as it is sent. */
export function replyOf({ code, message, headers }: Refusal): Reply {
  const reply = json({ error: { code, message } }, ERRORS[code].status);
  return headers === undefined ? reply : { ...reply, headers };
}

/**
 * The response.
 *
 * Headers are set one by one, which takes the runtime a little less time than to convert and check them together.
 * @param requestId null for none
 * @param isHead true when the body is left out
 */
export function respond(
  { status, type, body, headers: own }: Reply,
  requestId: string | null,
  isHead: boolean,
): Response {
  const sent = isHead ? null : body;
  const response = status === 200 ? new Response(sent) : new Response(sent, { status });
  const { headers } = response;
  if (type !== null) headers.set("content-type", type);
  headers.set("cache-control", "no-store");
  if (requestId !== null) headers.set("x-request-id", requestId);
  if (own !== undefined) { for (const name in own) headers.set(name, own[name]!); }
  return response;
}
