import assert from "node:assert/strict";
import { CredentialsUnreadableError, StoreUnavailableError } from "../../sessions/ports/store.ts";
import { DISCONNECT_REASONS, ERRORS, FAULT_CODES } from "@session-manager/contract";
import { lastErrorOf, SessionManagerError } from "../../domain/errors.ts";

Deno.test("ERRORS has the contract's four codes and the decisions' seven, with their statuses, and no other", () => {
  const statuses = Object.fromEntries(Object.entries(ERRORS).map(([code, { status }]) => [code, status]));
  assert.deepEqual(statuses, {
    SESSION_NOT_FOUND: 404,
    SESSION_ALREADY_CONNECTED: 409,
    QR_GENERATION_FAILED: 500,
    SESSION_MANAGER_ERROR: 500,
    INVALID_REQUEST: 400,
    UNAUTHORIZED: 401,
    FORBIDDEN: 403,
    NOT_FOUND: 404,
    METHOD_NOT_ALLOWED: 405,
    PAYLOAD_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    TOO_MANY_REQUESTS: 429,
  });
  assert.ok(Object.isFrozen(ERRORS));
});

Deno.test("ERRORS says one plain sentence for every code", () => {
  for (const { message } of Object.values(ERRORS)) assert.match(message, /^[A-Z][^.\n]*\.$/);
});

Deno.test("lastErrorOf() gives the code and one sentence of our own for every reason and fault", () => {
  const sentences = new Set<string>();
  for (const code of [...DISCONNECT_REASONS, ...FAULT_CODES]) {
    const { code: written, message } = lastErrorOf(code);
    assert.equal(written, code);
    assert.match(message, /^[A-Z][^.\n]*\.$/);
    sentences.add(message);
  }
  assert.equal(sentences.size, DISCONNECT_REASONS.length + FAULT_CODES.length);
});

Deno.test("lastErrorOf() tells the operator what to do when the fault is unrecoverable", () => {
  for (const code of FAULT_CODES) assert.match(lastErrorOf(code).message, /ask for a new QR|restart it/);
});

Deno.test("SessionManagerError() takes the catalogue's sentence when it is given none", () => {
  const error = new SessionManagerError("SESSION_NOT_FOUND");
  assert.ok(error instanceof Error);
  assert.equal(error.name, "SessionManagerError");
  assert.equal(error.code, "SESSION_NOT_FOUND");
  assert.equal(error.message, ERRORS.SESSION_NOT_FOUND.message);
  assert.equal(error.retryAfterSeconds, undefined);
  assert.equal(error.cause, undefined);
});

Deno.test("SessionManagerError() carries sentence, delay and cause when it is given them", () => {
  const cause = new Error("for the log alone");
  const error = new SessionManagerError("INVALID_REQUEST", {
    message: "reason is missing.",
    retryAfterSeconds: 5,
    cause,
  });
  assert.equal(error.message, "reason is missing.");
  assert.equal(error.retryAfterSeconds, 5);
  assert.equal(error.cause, cause);
});

Deno.test("StoreUnavailableError() says that the database is away and keeps the cause for the log", () => {
  const cause = new Error("socket hang up");
  const error = new StoreUnavailableError(cause);
  assert.equal(error.name, "StoreUnavailableError");
  assert.equal(error.cause, cause);
  assert.ok(!error.message.includes(cause.message));
});

Deno.test("CredentialsUnreadableError() names the instance and keeps the cause for the log", () => {
  const cause = new Error("bad tag");
  const error = new CredentialsUnreadableError("sender_51", cause);
  assert.equal(error.name, "CredentialsUnreadableError");
  assert.match(error.message, /sender_51/);
  assert.equal(error.cause, cause);
  assert.ok(!error.message.includes(cause.message));
});
