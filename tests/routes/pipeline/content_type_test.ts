import assert from "node:assert/strict";
import { parseJson, readText } from "../../../routes/pipeline/content_type.ts";
import { isRefusal } from "../../../routes/pipeline/refusal.ts";

const said = (type: string | null, bytes: Uint8Array<ArrayBuffer>) => {
  const read = readText(new Headers(type === null ? {} : { "content-type": type }), bytes);
  return isRefusal(read) ? read.code : read.value;
};
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("readText() takes application/json however it is written, and nothing else", () => {
  for (const type of ["application/json", "Application/JSON", "application/json ; charset=utf-8"]) {
    assert.equal(said(type, bytes("ñ")), "ñ", type);
  }
  for (const type of [null, "", "text/plain", "application/x+json", "application/json, text/plain"]) {
    assert.equal(said(type, bytes("ñ")), "UNSUPPORTED_MEDIA_TYPE", String(type));
  }
});

Deno.test("readText() takes UTF-8 alone, without its byte order mark", () => {
  assert.equal(said("application/json", bytes("\ufeff{}")), "{}");
  for (const wrong of [[0xff], [0xc3]]) {
    assert.equal(said("application/json", new Uint8Array(wrong)), "INVALID_REQUEST");
  }
});

Deno.test("parseJson() gives the value, or refuses what is no JSON", () => {
  assert.deepEqual(parseJson('{"a":1}'), { value: { a: 1 } });
  for (const text of ["", "{", "NaN", "{/**/}"]) {
    const refusal = parseJson(text);
    assert.equal(isRefusal(refusal) && refusal.message, "The body is not valid JSON.");
  }
});
