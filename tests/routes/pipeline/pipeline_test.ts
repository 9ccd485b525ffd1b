import assert from "node:assert/strict";
import { z } from "@hono/zod-openapi";
import { SessionManagerError } from "../../../domain/errors.ts";
import { stopTime } from "../../../lab/clocks/stopped_time.ts";
import { listen } from "../../../listener.ts";
import { content, json } from "../../../routes/pipeline/reply.ts";
import { type Resource, route } from "../../../routes/pipeline/route.ts";
import { ask } from "../ask.ts";
import { frontDoor, frontDoorOf, HEADERS, KEY, OTHER_KEY, QR, VIEW } from "./front_door.ts";

const BASE = "/api/session-manager/sessions";

Deno.test("createPipeline() answers without a promise when the use case does", async () => {
  const { fetch } = frontDoor({ read: () => VIEW, requestQr: () => QR });
  const request = (method: string, path: string, headers: HeadersInit = HEADERS) =>
    new Request(`http://localhost${BASE}/${path}`, { method, headers });
  for (
    const [asked, status] of [
      [request("GET", "a"), 200],
      [request("GET", "%61"), 200],
      [request("POST", "a/qr"), 200],
      [request("GET", "a", {}), 401],
      [request("GET", "-"), 400],
      [request("PUT", "a"), 405],
      [request("GET", "a/b"), 404],
    ] as const
  ) {
    const response = fetch(asked);
    assert.ok(response instanceof Response, `${asked.method} ${asked.url}`);
    assert.equal(response.status, status);
    await response.body?.cancel();
  }
});

Deno.test("createPipeline() sends the caller's request id, or ours where the answer leaves a line in the log", async () => {
  const { fetch, lines } = frontDoor();
  const given = await ask({ fetch }, `${BASE}/a`, { headers: { ...HEADERS, "x-request-id": "hub-7" } });
  assert.equal(given.headers.get("x-request-id"), "hub-7");
  const quiet = await ask({ fetch }, `${BASE}/a`, { headers: HEADERS });
  assert.equal(quiet.headers.get("x-request-id"), null);
  const told = await ask({ fetch }, `${BASE}/a/qr`, { method: "POST", headers: HEADERS });
  assert.match(told.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.request_id, told.headers.get("x-request-id"));
});

Deno.test("createPipeline() always sends a request id when the route is not polled", async () => {
  const { fetch } = frontDoor();
  for (const [method, path] of [["GET", "/healthz"], ["HEAD", "/healthz"], ["GET", "/docs"]] as const) {
    const answer = await ask({ fetch }, path, { method });
    assert.match(answer.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/, `${method} ${path}`);
    await answer.body?.cancel();
  }
});

Deno.test("createPipeline() takes what was known already for no news, and answers it each time as the first", async () => {
  const { fetch, lines, answered } = frontDoor({ read: () => VIEW, requestQr: () => QR });
  for (const [path, method, body] of [[`${BASE}/a`, "GET", VIEW], [`${BASE}/a/qr`, "POST", QR]] as const) {
    for (let i = 0; i < 4; i++) {
      const response = await ask({ fetch }, path, { method, headers: HEADERS });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-request-id"), null);
      assert.deepEqual(await response.json(), body);
    }
  }
  assert.deepEqual(lines, []);
  assert.equal(answered.length, 8);
});

for (const host of ["127.0.0.1", "0.0.0.0"]) {
  Deno.test(`createPipeline() keeps a connection that sends bodies with its reads, by the server on ${host}`, async () => {
    const { fetch } = frontDoor({ read: () => VIEW });
    const listener = await listen({ host, port: 0 }, fetch);
    const ask =
      `GET ${BASE}/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEY}\r\nContent-Length: 3\r\n`;
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    const last = `${ask}Connection: close\r\n\r\nabc`;
    await connection.write(new TextEncoder().encode(`${ask}\r\nabc${ask}\r\nabc${last}`));
    const heard = await new Response(connection.readable).text();
    assert.equal(heard.split("HTTP/1.1 200 OK").length - 1, 3);
    assert.equal(heard.split(JSON.stringify(VIEW)).length - 1, 3);
    await listener.shutdown();
  });
}

Deno.test("createPipeline() gives a key one allowance, however its header is written and the path is escaped", async () => {
  const { fetch } = frontDoor({}, { rateLimits: { key: 3 } });
  using _stopped = stopTime();
  const statuses = [];
  for (
    const [path, authorization] of [
      [`${BASE}/a`, `Bearer ${KEY}`],
      [`${BASE}/a`, `bearer ${KEY}`],
      [`${BASE}/%61`, `BEARER   ${KEY} `],
      [`${BASE}/a`, `Bearer  ${KEY}`],
      [`${BASE}/a`, `Bearer ${OTHER_KEY}`],
    ] as const
  ) {
    statuses.push((await ask({ fetch }, path, { headers: { authorization } })).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 200]);
});

Deno.test("createPipeline() limits an instance whatever it answers, and however the path is escaped", async () => {
  const gone = new SessionManagerError("SESSION_NOT_FOUND");
  const { fetch } = frontDoor({ read: () => Promise.reject(gone) }, { rateLimits: { read: 1 } });
  using _stopped = stopTime();
  const missing = await ask({ fetch }, `${BASE}/a`, { headers: HEADERS });
  assert.equal(missing.status, 404);
  assert.deepEqual(await missing.json(), { error: { code: gone.code, message: gone.message } });
  for (const path of [`${BASE}/a`, `${BASE}/%61`]) {
    const refused = await ask({ fetch }, path, { headers: HEADERS });
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "1");
  }
});

Deno.test("createPipeline() remembers no instance whose name cannot be one", async () => {
  const { fetch } = frontDoor({}, { rateLimits: { read: 1 } });
  using _stopped = stopTime();
  for (const id of ["%20", "-a", "a%2Fb", "a".repeat(65), "%E0%A4%A", "%00", "..%2f"]) {
    for (let i = 0; i < 2; i++) {
      assert.equal((await ask({ fetch }, `${BASE}/${id}`, { headers: HEADERS })).status, 400, id);
    }
  }
});

Deno.test("createPipeline() counts by the pattern of a path, under one label what no route has, and one made-up methods", async () => {
  const { fetch, answered } = frontDoor();
  for (
    const [method, path, headers] of [
      ["GET", `${BASE}/a`, HEADERS],
      ["PUT", `${BASE}/a`, HEADERS],
      ["BREW", `${BASE}/a`, HEADERS],
      ["GET", `${BASE}/a/b`, HEADERS],
      ["GET", `${BASE}/a/b`, {}],
      ["GET", "/nothing", {}],
    ] as const
  ) {
    await (await ask({ fetch }, path, { method, headers })).body?.cancel();
  }
  const pattern = `${BASE}/:instance_id`;
  assert.deepEqual(answered, [
    { route: pattern, method: "GET", status: 200 },
    { route: pattern, method: "PUT", status: 405 },
    { route: pattern, method: "other", status: 405 },
    { route: "none", method: "GET", status: 404 },
    { route: "none", method: "GET", status: 401 },
    { route: "none", method: "GET", status: 404 },
  ]);
});

Deno.test("createPipeline() gives a handler the caller, and what the schemas make of path, query and body", async () => {
  const resource: Resource = {
    under: "/things",
    role: "hub",
    isApi: true,
    routes: [
      route({
        method: "PUT",
        path: "/{name}/parts/{part}",
        role: "hub",
        params: z.object({ name: z.string(), part: z.coerce.number({ error: "part has to be a number." }) }),
        query: z.object({ limit: z.coerce.number().max(5, { error: "limit is at most 5." }).default(1) }),
        body: z.object({ label: z.string({ error: "label has to be a text." }) }),
        handle: ({ caller, params, query, body }) =>
          json({ key: caller.key, part: params.part + 1, limit: query.limit + 1, label: body.label }, 201),
      }),
    ],
  };
  const { fetch } = frontDoorOf([resource]);
  const put = (path: string, body: string) =>
    ask({ fetch }, path, {
      method: "PUT",
      headers: { ...HEADERS, "content-type": "application/json" },
      body,
    });
  const made = await put("/things/x/parts/1?limit=2&other=3", '{"label":"l"}');
  assert.equal(made.status, 201);
  assert.deepEqual(await made.json(), { key: KEY, part: 2, limit: 3, label: "l" });
  assert.equal((await (await put("/things/x/parts/1", '{"label":"l"}')).json()).limit, 2);
  for (
    const [path, body, message] of [
      ["/things/x/parts/y?limit=9", "{", "part has to be a number."],
      ["/things/x/parts/1?limit=9", "{", "limit is at most 5."],
      ["/things/x/parts/1", "{", "The body is not valid JSON."],
      ["/things/x/parts/1", "{}", "label has to be a text."],
    ] as const
  ) {
    const refused = await put(path, body);
    assert.equal(refused.status, 400);
    assert.deepEqual(await refused.json(), { error: { code: "INVALID_REQUEST", message } });
  }
});

Deno.test("createPipeline() sends a stream as it comes, and tells its handler when nobody reads any more", async () => {
  const ended = Promise.withResolvers<void>();
  const resource: Resource = {
    under: "/events",
    role: "anyone",
    isApi: true,
    routes: [
      route({
        method: "GET",
        path: "/stream",
        role: "anyone",
        handle: ({ request }) => {
          const event = new TextEncoder().encode("id: 1\ndata: {}\n\n");
          const last = request.headers.get("last-event-id");
          const stream = new ReadableStream<Uint8Array>({
            start: (controller) => controller.enqueue(event),
            cancel: () => ended.resolve(),
          });
          return content("text/event-stream", stream, { "x-last": last ?? "none" });
        },
      }),
    ],
  };
  const { fetch: door } = frontDoorOf([resource]);
  const listener = await listen({ host: "127.0.0.1", port: 0 }, door);
  const response = await fetch(`http://127.0.0.1:${listener.port}/events/stream`, {
    headers: { "last-event-id": "0" },
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("x-last"), "0");
  const reader = response.body!.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "id: 1\ndata: {}\n\n");
  await reader.cancel();
  await ended.promise;
  await listener.shutdown();
});
