import assert from "node:assert/strict";
import { SessionManagerError } from "../../../domain/errors.ts";
import { refusalOf, refuse } from "../../../routes/pipeline/refusal.ts";
import { content, json, replyOf, respond } from "../../../routes/pipeline/reply.ts";
import { givenId } from "../../../routes/pipeline/report.ts";

Deno.test("respond() gives every answer its headers, and leaves the body out when it is asked to", async () => {
  const response = respond(json({ a: 1 }, 201), "hub-7", false);
  assert.equal(response.status, 201);
  assert.deepEqual(Object.fromEntries(response.headers), {
    "cache-control": "no-store",
    "content-type": "application/json",
    "x-request-id": "hub-7",
  });
  assert.equal(await response.text(), '{"a":1}');
  const head = respond(content("text/html", "<p>", { "x-own": "1" }), null, true);
  assert.deepEqual(Object.fromEntries(head.headers), {
    "cache-control": "no-store",
    "content-type": "text/html",
    "x-own": "1",
  });
  assert.equal(head.body, null);
});

Deno.test("respond() names no type when there is no body", () => {
  const response = respond({ kind: "reply", status: 204, type: null, body: null }, null, false);
  assert.equal(response.status, 204);
  assert.deepEqual(Object.fromEntries(response.headers), { "cache-control": "no-store" });
});

Deno.test("replyOf() gives a refusal the catalogue's status, and its own headers", () => {
  const reply = replyOf(refuse("TOO_MANY_REQUESTS", undefined, { "retry-after": "2" }));
  assert.equal(reply.status, 429);
  assert.deepEqual(reply.headers, { "retry-after": "2" });
  assert.equal(
    reply.body,
    '{"error":{"code":"TOO_MANY_REQUESTS","message":"Too many requests; try again later."}}',
  );
});

Deno.test("refusalOf() tells a failure as the endpoint does, and logs its cause", () => {
  const lines: unknown[] = [];
  const log = { debug: () => {}, info: () => {}, error: (line: unknown) => void lines.push(line) };
  const cause = new Error("SELECT * FROM secrets");
  for (
    const [thrown, code, headers, line] of [
      [cause, "QR_GENERATION_FAILED", undefined, { err: cause }],
      [
        new SessionManagerError("SESSION_MANAGER_ERROR", { cause, retryAfterSeconds: 5 }),
        "QR_GENERATION_FAILED",
        {
          "retry-after": "5",
        },
        { err: cause },
      ],
      [new SessionManagerError("QR_GENERATION_FAILED"), "QR_GENERATION_FAILED", undefined, {}],
      [new SessionManagerError("SESSION_ALREADY_CONNECTED"), "SESSION_ALREADY_CONNECTED", undefined, null],
    ] as const
  ) {
    lines.length = 0;
    const refusal = refusalOf(thrown, "QR_GENERATION_FAILED", "POST", log);
    assert.equal(refusal.code, code);
    assert.deepEqual(refusal.headers, headers);
    assert.ok(!refusal.message.includes("SELECT"));
    const expected = line === null ? [] : [{ event: "request_failed", method: "POST", code, ...line }];
    assert.deepEqual(lines, expected);
  }
});

Deno.test("refusalOf() keeps a sentence that says more than the catalogue's", () => {
  const log = { debug: () => {}, info: () => {}, error: () => {} };
  const thrown = new SessionManagerError("INVALID_REQUEST", { message: "after has to be a number." });
  assert.equal(refusalOf(thrown, "SESSION_MANAGER_ERROR", "GET", log).message, "after has to be a number.");
});

Deno.test("givenId() takes what can be an id, and nothing else", () => {
  for (const id of ["hub-7", "a", "A_b.c:d-9", "x".repeat(64)]) assert.equal(givenId(id), id);
  for (const id of [null, "", "two words", "x".repeat(65), "ñ", 'a"b']) assert.equal(givenId(id), null);
});
