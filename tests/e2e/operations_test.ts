import assert from "node:assert/strict";
import { connect } from "node:net";
import { stopTime } from "../../lab/clocks/stopped_time.ts";
import { fault } from "../../lab/hub.ts";
import { head, raw } from "../../lab/raw.ts";
import { scenarios } from "./scenarios.ts";
import { scenario, type World } from "./world.ts";

/** A GET outside the contract. */
async function read(world: World, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${world.origin}${path}`, { headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The value of a metric, its labels written as they are told. */
async function metric(world: World, name: string): Promise<number> {
  const { text } = await read(world, "/metrics");
  const line = text.split("\n").find((each) => each.startsWith(`session_manager_${name} `));
  return Number(line?.split(" ").at(-1) ?? NaN);
}

scenarios("what is there for operators", { only: "sqlite", bodyMs: 200 }, {
  "/healthz, /readyz and /docs answer, and nothing of them comes from elsewhere": async (world) => {
    assert.deepEqual(JSON.parse((await read(world, "/healthz")).text), { status: "alive" });
    const ready = await read(world, "/readyz");
    assert.equal(ready.status, 200);
    assert.deepEqual(JSON.parse(ready.text), {
      status: "ready",
      checks: { database: "ok", workers: "ok" },
    });
    const docs = await read(world, "/docs");
    assert.equal(docs.status, 200);
    assert.match(docs.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    assert.ok(docs.text.includes("/api/session-manager/sessions/{instance_id}/qr"));
    assert.ok(!/(src|href)="(https?:)?\/\//.test(docs.text));
    const { openapi } = JSON.parse((await read(world, "/openapi.json")).text);
    assert.equal(openapi, "3.1.0");
  },

  "/metrics counts a session's life, and names no instance": async (world) => {
    const phone = await world.link("counted_instance");
    const gone = world.log.next(({ event, status }) =>
      event === "session_changed" && status === "disconnected"
    );
    world.gateway.drop(phone);
    await gone;
    await world.untilStatus("counted_instance", "connected");
    await world.hub.get("nobody");
    const expected: Record<string, number> = {
      qr_generated_total: 1,
      qr_scanned_total: 1,
      qr_expired_total: 0,
      pairings_total: 1,
      login_attempts_total: 2,
      'disconnects_total{code="NETWORK"}': 1,
      time_to_qr_seconds_count: 1,
      'sessions{status="connected"}': 1,
      supervised_sessions: 1,
      stalled_sessions: 0,
      login_queue_length: 0,
      workers: 1,
      sockets: 1,
      worker_restarts_total: 0,
    };
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(await metric(world, name), value, name);
    }
    const { text } = await read(world, "/metrics");
    assert.ok(!text.includes("counted_instance"));
    assert.match(text, /http_requests_total\{route="[^"]*:instance_id",method="GET",status="404"\} 1\n/);
    assert.match(text, /database_duration_seconds_count\{operation="save"\} \d/);
  },

  "/metrics does not grow with what callers make up": async (world) => {
    const paths = ["/", "/metrics", "/api/session-manager/sessions/x", "/api/session-manager/sessions/x/qr"];
    const series = async () => {
      const { text } = await read(world, "/metrics");
      return text.split("\n").filter((line) => line.startsWith("session_manager_http_")).map((line) =>
        line.slice(0, line.lastIndexOf(" "))
      );
    };
    const makeUp = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        for (const path of paths) {
          await raw(world.origin, head(`MADEUP${i} ${path} HTTP/1.1`));
          await raw(world.origin, head(`GET ${path}/made-up-${i}/${i} HTTP/1.1`));
        }
        await world.hub.get(`made up ${i}`);
        await world.hub.get(`made.up.${i}`);
        await raw(world.origin, head(`GET /made-up HTTP/1.1`, [`Host: made-up-${i}`]));
      }
    };
    await read(world, "/metrics");
    await makeUp(0, 1);
    const before = await series();
    await makeUp(1, 30);
    assert.deepEqual(await series(), before);
    const methods = new Set(before.map((line) => /method="([^"]*)"/.exec(line)?.[1]));
    assert.ok(methods.has("other"));
    assert.ok(!before.some((line) => /made.?up/i.test(line)));
  },

  "a request keeps its own id, and gets one where it has none that fits a log": async (world) => {
    const line = world.log.next(({ event }) => event === "request");
    const kept = await read(world, "/api/session-manager/sessions/x", { "x-request-id": "hub-7" });
    assert.equal(kept.headers.get("x-request-id"), "hub-7");
    const { request_id, instance_id, status, route } = await line;
    assert.deepEqual({ request_id, instance_id, status }, {
      request_id: "hub-7",
      instance_id: "x",
      status: 404,
    });
    assert.equal(route, "/api/session-manager/sessions/:instance_id");
    const made = await read(world, "/healthz", { "x-request-id": "two words" });
    assert.match(made.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  },

  "a body that does not arrive is not waited for": async (world) => {
    const head = [
      "POST /api/session-manager/internal/events/connected HTTP/1.1",
      "Host: localhost",
      "Content-Type: application/json",
      "Content-Length: 100",
      "Connection: close",
      "",
      '{"instance_id":',
    ].join("\r\n");
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect(Number(new URL(world.origin).port), "127.0.0.1", () => socket.write(head));
    // The runtime goes on waiting for the rest of the body; the caller has its answer, and hangs up.
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
      if (answer.endsWith("}}")) socket.destroy();
    }).on("close", () => resolve(answer));
    assert.match(await promise, /^HTTP\/1\.1 400 [^]*The body did not arrive in time/);
  },
});

scenario("what comes too often is refused for a while, each instance for itself", async (start) => {
  await using world = await start({ environment: { RATE_LIMIT_READ: "3", RATE_LIMIT_QR: "2" } });
  await world.hub.qr("busy");
  using _stopped = stopTime();
  await world.hub.qr("busy");
  const refused = await world.hub.requestQr("busy");
  assert.equal(fault(refused), "429 TOO_MANY_REQUESTS");
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  assert.equal((await world.hub.requestQr("calm")).status, 200);
  const reads = await Promise.all([0, 1, 2, 3].map(() => world.hub.get("busy")));
  assert.deepEqual(reads.map(({ status }) => status).sort(), [200, 200, 200, 429]);
}, { only: "sqlite" });
