import assert from "node:assert/strict";
import { callerGuard, Keyring, type Role } from "../../../routes/pipeline/keys.ts";

const HUB = "h".repeat(16);
const INTERNAL = "i".repeat(16);

Deno.test("Keyring.identify() takes each of its keys whole, and nothing that only begins or ends like one", () => {
  const short = "s".repeat(16);
  const long = `${short}${"l".repeat(40)}`;
  const keys = new Keyring([short, long, "ñandú".repeat(4)]);
  for (const key of [short, long, "ñandú".repeat(4)]) assert.equal(keys.identify(`bearer ${key} `), key);
  for (const key of [short.slice(1), `${short}l`, long.slice(0, -1), `${long}l`, `${long}\0`, "", "ñ"]) {
    assert.equal(keys.identify(`Bearer ${key}`), null, key);
  }
  for (const header of [null, ""]) assert.equal(keys.identify(header), null);
});

/** What the guard says of a request: the caller's key, or the code of its refusal. */
function said(hub: string[], internal: string[], role: Role, headers: HeadersInit): string {
  const guard = callerGuard({ hub: new Keyring(hub), internal: new Keyring(internal) });
  const outcome = guard({ url: "http://localhost/", headers: new Headers(headers) }, role);
  return outcome.kind === "caller" ? `caller ${outcome.key}` : outcome.code;
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const FOREIGN = { origin: "https://evil.example" };

Deno.test("callerGuard() asks a role that has keys for one of them, wherever the caller is", () => {
  for (const besides of [{}, FOREIGN]) {
    assert.equal(said([HUB], [INTERNAL], "hub", { ...besides, ...bearer(HUB) }), `caller ${HUB}`);
    assert.equal(
      said([HUB], [INTERNAL], "internal", { ...besides, ...bearer(INTERNAL) }),
      `caller ${INTERNAL}`,
    );
    assert.equal(said([HUB], [INTERNAL], "hub", { ...besides, ...bearer(INTERNAL) }), "UNAUTHORIZED");
    assert.equal(said([HUB], [INTERNAL], "internal", { ...besides, ...bearer(HUB) }), "UNAUTHORIZED");
    assert.equal(said([HUB], [INTERNAL], "hub", besides), "UNAUTHORIZED");
    assert.equal(said([HUB], [INTERNAL], "anyone", besides), "caller ");
  }
});

Deno.test("callerGuard() serves programs of this machine alone when a role has no keys", () => {
  assert.equal(said([HUB], [], "internal", {}), "caller ");
  assert.equal(said([HUB], [], "internal", { ...FOREIGN, ...bearer(HUB) }), "FORBIDDEN");
  assert.equal(said([HUB], [], "anyone", FOREIGN), "caller ");
  assert.equal(said([], [], "anyone", FOREIGN), "FORBIDDEN");
  assert.equal(said([], [], "anyone", {}), "caller ");
});

Deno.test("callerGuard() reads no header but Authorization when the role has keys", () => {
  const asked: string[] = [];
  const headers = { get: (name: string) => (asked.push(name), `Bearer ${HUB}`) } as unknown as Headers;
  callerGuard({ hub: new Keyring([HUB]), internal: new Keyring([]) })({ url: "http://a b/", headers }, "hub");
  assert.deepEqual(asked, ["authorization"]);
});

Deno.test("callerGuard() says how to present a key when it refuses for want of one", () => {
  const guard = callerGuard({ hub: new Keyring([HUB]), internal: new Keyring([]) });
  const refusal = guard({ url: "http://localhost/", headers: new Headers() }, "hub");
  assert.deepEqual(refusal.kind === "refusal" && refusal.headers, { "www-authenticate": "Bearer" });
});
