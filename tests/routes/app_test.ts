import assert from "node:assert/strict";
import { SessionManagerError } from "../../domain/errors.ts";
import { createApp } from "../../routes/app.ts";
import type { Sessions } from "../../routes/ports.ts";

const BASE = "/api/session-manager";

/** The front door over use cases that all do the same. */
function frontDoor(outcome: () => never) {
  const lines: Record<string, unknown>[] = [];
  const answer = () => Promise.resolve().then(outcome);
  const sessions: Sessions = {
    read: answer,
    requestQr: answer,
    reportConnected: answer,
    reportDisconnected: answer,
  };
  const log = {
    debug: () => {},
    info: () => {},
    error: (fields: Record<string, unknown>) => void lines.push(fields),
  };
  const app = createApp({
    sessions,
    operations: {
      readiness: () => Promise.reject(new Error("unused")),
      metrics: () => Promise.resolve(""),
    },
    hubKeys: [],
    internalKeys: [],
    rateLimits: { key: 0, read: 0, qr: 0 },
    log,
    meter: { observe: () => {} },
  });
  return { app, lines };
}

Deno.test("createApp() answers a bare 500 and logs the cause when a use case throws the unforeseen", async () => {
  const secret = new Error("SELECT * FROM secrets");
  const { app, lines } = frontDoor(() => {
    throw secret;
  });
  const response = await app.request(`${BASE}/sessions/a`);
  assert.equal(response.status, 500);
  assert.deepEqual(await response.json(), {
    error: { code: "SESSION_MANAGER_ERROR", message: "The session manager could not answer." },
  });
  assert.equal(lines[0]?.err, secret);
});

Deno.test("createApp() sends Retry-After when the fault knows when to come back", async () => {
  const { app, lines } = frontDoor(() => {
    throw new SessionManagerError("QR_GENERATION_FAILED", { retryAfterSeconds: 7 });
  });
  const response = await app.request(`${BASE}/sessions/a/qr`, { method: "POST" });
  assert.equal(response.status, 500);
  assert.equal(response.headers.get("retry-after"), "7");
  assert.deepEqual(lines, [{ event: "request_failed", method: "POST", code: "QR_GENERATION_FAILED" }]);
  await response.body?.cancel();
});

Deno.test("createApp() logs nothing when the caller is at fault", async () => {
  const { app, lines } = frontDoor(() => {
    throw new SessionManagerError("SESSION_NOT_FOUND");
  });
  const response = await app.request(`${BASE}/sessions/a`);
  assert.equal(response.status, 404);
  assert.deepEqual(lines, []);
  await response.body?.cancel();
});
