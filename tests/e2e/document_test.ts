import assert from "node:assert/strict";
import { documentText } from "../../tools/openapi.ts";
import { checkAnswer } from "./document.ts";

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
