import assert from "node:assert/strict";
import { ErrorAnswer } from "../../routes/document/errors.ts";
import { head, raw } from "../../lab/raw.ts";
import { scenarios } from "./scenarios.ts";
import type { World } from "./world.ts";

const BASE = "/api/session-manager";

/** Sends what a browser would for a page of another site, or under a name that an attacker's DNS has rebound. */
const STRANGERS: Readonly<Record<string, readonly string[]>> = {
  "a page of another site": ["Host: localhost", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"],
  "a page without an origin": ["Host: localhost", "Origin: null"],
  "a picture of another site": ["Host: localhost", "Sec-Fetch-Site: cross-site"],
  "a rebound name": [
    "Host: evil.example:8080",
    "Origin: http://evil.example:8080",
    "Sec-Fetch-Site: same-origin",
  ],
};

function forbidden(answer: string, who: string): void {
  assert.match(answer, /^HTTP\/1\.1 403 /, who);
  const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  assert.equal(ErrorAnswer.parse(body).error.code, "FORBIDDEN", who);
}

/** An internal event, as a form of a page could send it, too, but for the media type. */
function event(world: World, name: string, headers: readonly string[], fields: object): Promise<string> {
  const body = JSON.stringify(fields);
  const all = [...headers, "Content-Type: application/json", `Content-Length: ${body.length}`];
  return raw(world.origin, head(`POST ${BASE}/internal/events/${name} HTTP/1.1`, all) + body);
}

scenarios("callers without a key", { only: "sqlite" }, {
  "a page of another site opens no socket, makes no row and reads nothing": async (world) => {
    for (const [who, headers] of Object.entries(STRANGERS)) {
      for (let i = 0; i < 5; i++) {
        forbidden(
          await raw(world.origin, head(`POST ${BASE}/sessions/${i}/qr HTTP/1.1`, headers)),
          who,
        );
      }
      for (const path of [`${BASE}/sessions/0`, "/metrics", "/healthz", "/docs", "/nowhere"]) {
        forbidden(await raw(world.origin, head(`GET ${path} HTTP/1.1`, headers)), who);
      }
    }
    assert.deepEqual(await world.rows("SELECT * FROM ll_whatsapp_qr_sessions"), []);
    assert.deepEqual(world.service.socketLoad(), [0]);
    assert.equal(world.gateway.connections.length, 0);
  },

  "a page of another site unlinks no number": async (world) => {
    const phone = await world.link("linked");
    for (const [who, headers] of Object.entries(STRANGERS)) {
      forbidden(
        await event(world, "disconnected", headers, { instance_id: "linked", reason: "LOGOUT" }),
        who,
      );
      const other = { instance_id: "linked", phone_number: "+5491155550000" };
      forbidden(await event(world, "connected", headers, other), who);
    }
    assert.equal((await world.hub.session("linked")).status, "connected");
    assert.equal(phone.devices.length, 1);
  },

  "a program of this machine, and a page that it serves, are served": async (world) => {
    const port = new URL(world.origin).port;
    for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"]) {
      const page = [`Host: ${host}:${port}`, `Origin: http://${host}:${port}`, "Sec-Fetch-Site: same-origin"];
      for (const headers of [[`Host: ${host}:${port}`], page]) {
        const answer = await raw(world.origin, head(`POST ${BASE}/sessions/shown/qr HTTP/1.1`, headers));
        assert.match(answer, /^HTTP\/1\.1 200 /);
        assert.match(await raw(world.origin, head("GET /docs HTTP/1.1", headers)), /^HTTP\/1\.1 200 /);
      }
    }
    assert.match(await raw(world.origin, `GET ${BASE}/sessions/shown HTTP/1.0\r\n\r\n`), /^HTTP\/1\.0 200 /);
  },
});
