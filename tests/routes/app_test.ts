import assert from "node:assert/strict";
import { ERRORS } from "@session-manager/contract";
import { SessionManagerError } from "../../domain/errors.ts";
import { createApp } from "../../routes/app.ts";
import { renderDocs } from "../../routes/operations/docs_page.ts";
import type { Sessions } from "../../routes/ports.ts";
import { ask } from "./ask.ts";

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
      readiness: () =>
        Promise.resolve({ status: "not_ready", checks: { database: "failed", workers: "ok" } } as const),
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
  const response = await ask(app, `${BASE}/sessions/a`);
  assert.equal(response.status, 500);
  assert.deepEqual(await response.json(), {
    error: { code: "SESSION_MANAGER_ERROR", message: "The session manager could not answer." },
  });
  assert.equal(lines[0]?.err, secret);
});

Deno.test("createApp() answers each endpoint's own code when a use case fails, however the path is escaped", async () => {
  const failures = [new Error("unforeseen"), new SessionManagerError("SESSION_MANAGER_ERROR")];
  for (const failure of failures) {
    const { app } = frontDoor(() => {
      throw failure;
    });
    for (
      const [path, method, code] of [
        [`${BASE}/sessions/a/qr`, "POST", "QR_GENERATION_FAILED"],
        [`${BASE}/sessions/%61/qr`, "POST", "QR_GENERATION_FAILED"],
        [`${BASE}/sessions/a`, "GET", "SESSION_MANAGER_ERROR"],
        [`${BASE}/sessions/%61`, "GET", "SESSION_MANAGER_ERROR"],
      ] as const
    ) {
      const response = await ask(app, path, { method });
      assert.equal(response.status, 500);
      const message = ERRORS[code].message;
      assert.deepEqual(await response.json(), { error: { code, message } }, `${method} ${path}`);
    }
  }
});

Deno.test("createApp() sends Retry-After when the fault knows when to come back", async () => {
  const { app, lines } = frontDoor(() => {
    throw new SessionManagerError("QR_GENERATION_FAILED", { retryAfterSeconds: 7 });
  });
  const response = await ask(app, `${BASE}/sessions/a/qr`, { method: "POST" });
  assert.equal(response.status, 500);
  assert.equal(response.headers.get("retry-after"), "7");
  assert.deepEqual(lines, [{ event: "request_failed", method: "POST", code: "QR_GENERATION_FAILED" }]);
  await response.body?.cancel();
});

Deno.test("createApp() logs nothing when the caller is at fault", async () => {
  const { app, lines } = frontDoor(() => {
    throw new SessionManagerError("SESSION_NOT_FOUND");
  });
  const response = await ask(app, `${BASE}/sessions/a`);
  assert.equal(response.status, 404);
  assert.deepEqual(lines, []);
  await response.body?.cancel();
});

Deno.test("createApp() is not ready when something is missing", async () => {
  const { app } = frontDoor(() => {
    throw new Error("unused");
  });
  const response = await ask(app, "/readyz");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), {
    status: "not_ready",
    checks: { database: "failed", workers: "ok" },
  });
});

Deno.test("renderDocs() escapes what the document holds, and makes do with a bare one", async () => {
  const page = String(
    await renderDocs({
      info: { title: "<script>alert(1)</script>" },
      paths: {
        "/x": {
          get: {
            responses: {
              200: { description: "<b>", content: { "text/plain": {} } },
              204: { description: "" },
            },
          },
        },
      },
    }),
  );
  assert.ok(!page.includes("<script>") && !page.includes("<b>"));
  assert.ok(page.includes("text/plain"));
  assert.ok(String(await renderDocs({})).trimStart().startsWith("<!doctype html>"));
});
