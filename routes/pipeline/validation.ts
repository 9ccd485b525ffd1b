/**
 * What a request says, by the schemas of its route: the id in the path, the query, the fields of the body.
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { Bytes } from "./body.ts";
import { parseJson, readText } from "./content_type.ts";
import type { Caller } from "./keys.ts";
import { isRefusal, type Refusal, refuse } from "./refusal.ts";
import type { Input, Route } from "./route.ts";

/** A request that has passed every guard but this. */
export interface Admitted {
  readonly request: Request;
  readonly caller: Caller;
  /** As the path spells them, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Null where there is none. */
  readonly bytes: Bytes | null;
}

const NO_BYTES: Bytes = new Uint8Array();

/** The input of a route's handler, or the first fault in it: of the body's form, the path, the query, the fields. */
export function readInput(
  { params: paramsSchema, query: querySchema, body: bodySchema }: Route,
  { request, caller, params: raw, bytes }: Admitted,
): Input<unknown, unknown, unknown> | Refusal {
  const text = bodySchema === undefined ? null : readText(request.headers, bytes ?? NO_BYTES);
  if (isRefusal(text)) return text;
  const params = validate(paramsSchema, raw);
  if (isRefusal(params)) return params;
  const query = querySchema === undefined ? NOTHING : validate(querySchema, queryOf(request.url));
  if (isRefusal(query)) return query;
  const json = text === null ? NOTHING : parseJson(text.value);
  if (isRefusal(json)) return json;
  const body = validate(bodySchema, json.value);
  if (isRefusal(body)) return body;
  return { caller, params: params.value, query: query.value, body: body.value, request };
}

const NOTHING = { value: undefined };

/** What a schema makes of a value; the refusal is in the schema's own words, which name the field. */
function validate(schema: z.ZodType | undefined, value: unknown): { readonly value: unknown } | Refusal {
  if (schema === undefined) return NOTHING;
  const result = schema.safeParse(value);
  return result.success ? { value: result.data } : refuse("INVALID_REQUEST", result.error.issues[0]?.message);
}

/** The query of a URL, by name; of a name that is there twice the last. */
function queryOf(url: string): Record<string, string> {
  const from = url.indexOf("?");
  return from < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(from)));
}
