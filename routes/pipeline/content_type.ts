/**
 * What a body is said to be: JSON, and text in UTF-8.
 *
 * Source: decisions, "Endpoints": 415 `UNSUPPORTED_MEDIA_TYPE`.
 * @module
 */
import type { Bytes } from "./body.ts";
import { type Refusal, refuse } from "./refusal.ts";

const NO_JSON_TYPE = refuse("UNSUPPORTED_MEDIA_TYPE");
const NO_UTF8 = refuse("INVALID_REQUEST", "The body is not valid UTF-8.");
const NO_JSON = refuse("INVALID_REQUEST", "The body is not valid JSON.");

/** What a text has to be to be JSON (RFC 8259, §8.1); a byte order mark is left out. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text of a body that is said to be `application/json`, whatever its parameters. */
export function readText(headers: Headers, bytes: Bytes): { readonly value: string } | Refusal {
  const [type] = (headers.get("content-type") ?? "").split(";", 1);
  if (type?.trim().toLowerCase() !== "application/json") return NO_JSON_TYPE;
  try {
    return { value: utf8.decode(bytes) };
  } catch {
    return NO_UTF8;
  }
}

/** What a text says. */
export function parseJson(text: string): { readonly value: unknown } | Refusal {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return NO_JSON;
  }
}
