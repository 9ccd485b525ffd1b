import assert from "node:assert/strict";
import document from "../../openapi.json" with { type: "json" };
import { documentText } from "../../tools/openapi.ts";
import { checkAnswer } from "../../lab/document.ts";

const PATH = "/api/session-manager/sessions/sender_51";
const SESSION = {
  instance_id: "sender_51",
  status: "init",
  qr_status: "none",
  qr_string: null,
  qr_expires_at: null,
};

Deno.test("openapi.json is what the schemas say", async () => {
  assert.equal(await Deno.readTextFile(new URL("../../openapi.json", import.meta.url)), documentText());
});

Deno.test("checkAnswer() refuses what the document does not say", () => {
  checkAnswer("GET", PATH, 200, SESSION);
  assert.throws(() => checkAnswer("GET", PATH, 200, { ...SESSION, extra: 1 }));
  assert.throws(() => checkAnswer("GET", PATH, 200, { ...SESSION, status: "linked" }));
  assert.throws(() => checkAnswer("GET", PATH, 201, SESSION));
  assert.throws(() => checkAnswer("GET", PATH, 404, { error: { code: "GONE", message: "Gone." } }));
  assert.throws(() => checkAnswer("GET", "/nowhere", 404, { error: "none" }));
});

Deno.test("checkAnswer() refuses an error that the document has for other operations alone", () => {
  const failure = (code: string) => ({ error: { code, message: "It failed." } });
  checkAnswer("GET", PATH, 500, failure("SESSION_MANAGER_ERROR"));
  checkAnswer("POST", `${PATH}/qr`, 500, failure("QR_GENERATION_FAILED"));
  assert.throws(() => checkAnswer("GET", PATH, 500, failure("QR_GENERATION_FAILED")));
  assert.throws(() => checkAnswer("POST", `${PATH}/qr`, 500, failure("SESSION_MANAGER_ERROR")));
  assert.throws(() => checkAnswer("GET", PATH, 404, failure("NOT_FOUND")));
});

Deno.test("openapi.json describes every operation, parameter, body, field and error", () => {
  const bare: string[] = [];
  const look = (node: unknown, place: string, isNamed: boolean) => {
    if (typeof node !== "object" || node === null) return;
    const { description } = node as { description?: unknown };
    if (isNamed && !("$ref" in node) && (typeof description !== "string" || description === "")) {
      bare.push(place);
    }
    for (const [name, child] of Object.entries(node)) {
      // The children of these have names that the document's author chose.
      const holdsNamed = ["properties", "schemas", "headers", "parameters", "responses", "securitySchemes"];
      const isMethod = /^\/paths\/[^/]+$/.test(place);
      const parent = place.slice(place.lastIndexOf("/") + 1);
      look(child, `${place}/${name.replaceAll("/", "~1")}`, isMethod || holdsNamed.includes(parent));
    }
  };
  look(document, "", false);
  assert.deepEqual(bare, []);
});

Deno.test("openapi.json describes the headers of answers", () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      for (const [status, answer] of Object.entries(responses)) {
        const { headers } = answer as { headers?: Record<string, unknown> };
        const place = `${status} of ${method} ${path}`;
        assert.ok(headers?.["X-Request-Id"], place);
        assert.equal("Retry-After" in headers, ["429", "500"].includes(status), place);
        assert.equal("WWW-Authenticate" in headers, status === "401", place);
      }
    }
  }
});
