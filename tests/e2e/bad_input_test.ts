import assert from "node:assert/strict";
import { ErrorAnswer } from "../../routes/document/errors.ts";
import { type Answer, fault } from "../../lab/hub.ts";
import { head, raw } from "../../lab/raw.ts";
import { scenarios } from "./scenarios.ts";
import type { World } from "./world.ts";

const JSON_TYPE = { "content-type": "application/json" };
const CONNECTED = "/internal/events/connected";
const DISCONNECTED = "/internal/events/disconnected";
const [hubKey, oldKey, internalKey] = ["h".repeat(20), "o".repeat(20), "i".repeat(20)];
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** What a bad request is answered: the code, and that the message names the field. */
function rejects(answer: Answer, expected: string, field = ""): void {
  const { error } = ErrorAnswer.parse(answer.body);
  assert.equal(`${answer.status} ${error.code}`, expected);
  assert.ok(error.message.includes(field), `${error.message} does not name ${field}`);
  assert.equal(answer.headers.get("cache-control"), "no-store");
}

scenarios("bad input", { only: "sqlite" }, {
  "bad input gets the right 4xx, and no row is touched": async (world) => {
    const { hub } = world;
    await hub.qr("here");
    const before = await hub.session("here");

    for (const id of ["_", "-a", "a b", "a/b", "a".repeat(65), "ñ", "a\n", "%00", "' OR 1=1 --", "..%2f"]) {
      rejects(await hub.get(id), "400 INVALID_REQUEST", "instance_id");
      rejects(await hub.requestQr(id), "400 INVALID_REQUEST", "instance_id");
      rejects(await hub.connected(id, "+5491155550000"), "400 INVALID_REQUEST", "instance_id");
      rejects(await hub.disconnected(id, "NETWORK"), "400 INVALID_REQUEST", "instance_id");
    }
    for (const id of [null, 7, true, [], {}, ["here"], undefined]) {
      rejects(await hub.connected(id, "+5491155550000"), "400 INVALID_REQUEST", "instance_id");
    }
    for (
      const phone of [
        "5491155550000",
        "+0123456789",
        "+12",
        "+1234567890123456",
        "+54 911",
        "",
        null,
        54,
        undefined,
      ]
    ) {
      rejects(await hub.connected("here", phone), "400 INVALID_REQUEST", "phone_number");
    }
    for (const reason of ["logout", "", "ERROR", null, 1, ["LOGOUT"], undefined]) {
      rejects(await hub.disconnected("here", reason), "400 INVALID_REQUEST", "reason");
    }
    for (const path of [CONNECTED, DISCONNECTED]) {
      for (const body of ["", "{", "not json", "\u0000"]) {
        rejects(await hub.call("POST", path, body, JSON_TYPE), "400 INVALID_REQUEST", "JSON");
      }
      for (const body of ["null", "[]", "7", '"text"']) {
        rejects(await hub.call("POST", path, body, JSON_TYPE), "400 INVALID_REQUEST", "JSON object");
      }
      const good = JSON.stringify({ instance_id: "here", phone_number: "+5491155550000", reason: "NETWORK" });
      rejects(
        await hub.call("POST", path, good, { "content-type": "text/plain" }),
        "415 UNSUPPORTED_MEDIA_TYPE",
      );
      rejects(
        await hub.call("POST", path, good, { "content-type": "application/jsonp" }),
        "415 UNSUPPORTED_MEDIA_TYPE",
      );
      rejects(await hub.call("POST", path, new TextEncoder().encode(good)), "415 UNSUPPORTED_MEDIA_TYPE");
      const huge = JSON.stringify({ instance_id: "here", padding: "x".repeat(64 * 1024) });
      rejects(await hub.call("POST", path, huge, JSON_TYPE), "413 PAYLOAD_TOO_LARGE");
      assert.match(await chunked(world, path, huge), /^HTTP\/1\.1 413 [^]*PAYLOAD_TOO_LARGE/);
    }
    rejects(await hub.call("POST", "/sessions/here/qr", "x".repeat(64 * 1024 + 1)), "413 PAYLOAD_TOO_LARGE");

    for (
      const [method, path, allow] of [
        ["POST", "/sessions/here", "GET, HEAD"],
        ["DELETE", "/sessions/here", "GET, HEAD"],
        ["GET", "/sessions/here/qr", "POST"],
        ["PUT", "/sessions/here/qr", "POST"],
        ["GET", CONNECTED, "POST"],
        ["PATCH", DISCONNECTED, "POST"],
      ] as const
    ) {
      const answer = await hub.call(method, path);
      rejects(answer, "405 METHOD_NOT_ALLOWED");
      assert.equal(answer.headers.get("allow"), allow);
    }
    for (
      const path of ["", "/", "/sessions", "/sessions/", "/sessions/here/qr/x", "/internal/events/other"]
    ) {
      rejects(await hub.call("GET", path), "404 NOT_FOUND");
    }
    assert.equal(fault(await hub.get("nobody")), "404 SESSION_NOT_FOUND");
    assert.deepEqual(await hub.session("here"), before);
  },

  "a body of exactly 64 KiB is read": async (world) => {
    await world.hub.qr("full");
    const body = JSON.stringify({ instance_id: "full", reason: "NETWORK", padding: "" });
    const full = body.replace('"padding":""', `"padding":"${"x".repeat(64 * 1024 - body.length)}"`);
    assert.equal(full.length, 64 * 1024);
    assert.equal((await world.hub.call("POST", DISCONNECTED, full, JSON_TYPE)).status, 200);
  },

  "a request target that no URL holds gets a 4xx": async (world) => {
    for (const path of ["/api/session-manager/sessions/%E0%A4%A", "/api/session-manager/sessions/%"]) {
      const answer = await raw(world.origin, head(`GET ${path} HTTP/1.1`));
      assert.match(answer, /^HTTP\/1\.1 400 /);
    }
  },
});

scenarios("keys, where they are set", {
  only: "sqlite",
  environment: { HUB_API_KEY: `${hubKey},${oldKey}`, INTERNAL_API_KEY: internalKey },
}, {
  "each opens its own endpoints": async (world) => {
    const { hub } = world;
    for (const key of [hubKey, oldKey]) {
      assert.equal(
        fault(await hub.call("GET", "/sessions/x", undefined, bearer(key))),
        "404 SESSION_NOT_FOUND",
      );
    }
    for (const key of ["", "wrong", internalKey, `${hubKey}x`, hubKey.slice(1)]) {
      rejects(await hub.call("GET", "/sessions/x", undefined, bearer(key)), "401 UNAUTHORIZED");
      rejects(await hub.call("POST", "/sessions/x/qr", undefined, bearer(key)), "401 UNAUTHORIZED");
    }
    const body = JSON.stringify({ instance_id: "x", reason: "NETWORK" });
    rejects(
      await hub.call("POST", DISCONNECTED, body, { ...JSON_TYPE, ...bearer(hubKey) }),
      "401 UNAUTHORIZED",
    );
    assert.equal(
      fault(await hub.call("POST", DISCONNECTED, body, { ...JSON_TYPE, ...bearer(internalKey) })),
      "404 SESSION_NOT_FOUND",
    );
  },

  "/metrics wants an internal key": async ({ origin }) => {
    const read = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${origin}${path}`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await read("/metrics"), 401);
    assert.equal(await read("/metrics", bearer(hubKey)), 401);
    assert.equal(await read("/metrics", bearer(internalKey)), 200);
    assert.equal(await read("/healthz"), 200);
  },
});

/** A body whose length nobody announces. */
function chunked(world: World, path: string, body: string): Promise<string> {
  const start = head(`POST /api/session-manager${path} HTTP/1.1`, [
    "Host: localhost",
    "Content-Type: application/json",
    "Transfer-Encoding: chunked",
  ]);
  return raw(world.origin, `${start}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
}
