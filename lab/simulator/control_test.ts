import { deepEqual, equal, match } from "node:assert/strict";
import QRCode from "qrcode";
import { LightClient, LightKeys } from "./light_client.ts";
import { type Gateway, startGateway } from "./mod.ts";
import { NOTHING_LEFT } from "./sanitizers.ts";

type Answer = { status: number; body: any };

function caller(gateway: Gateway): (method: string, path: string, body?: unknown) => Promise<Answer> {
  return async (method, path, body) => {
    const response = await fetch(`${gateway.controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  };
}

Deno.test(
  "the control API pairs, unlinks, counts and drops when it is asked over HTTP",
  NOTHING_LEFT,
  async () => {
    await using gateway = await startGateway({ controlPort: 0 });
    const call = caller(gateway);
    const number = "+5491155550003";
    const { url, root_key: rootKey } = (await call("GET", "/")).body;
    const keys = new LightKeys();
    const { client, refs } = await LightClient.register({ url, rootKey }, keys);
    equal((await call("GET", "/connections")).body[0].state, "pairing");
    deepEqual((await call("POST", "/phones", { number })).body, {
      number,
      requiresPasskey: false,
      devices: [],
    });
    const qr = await QRCode.toDataURL(keys.pairingText(refs[0]!));
    const scan = call("POST", `/phones/${number}/scan`, { qr_string: qr });
    await client.sign(await client.next("iq"), keys);
    const { body: { outcome, device } } = await scan;
    equal(outcome, "paired");
    await client.closed;
    equal((await call("POST", `/phones/${number}/scan`, { qr_string: qr })).body.outcome, "already_used");

    const logIn = async () => {
      const login = await LightClient.logIn(gateway, keys, device.jid);
      await login.next("success");
      return login;
    };
    const first = await logIn();
    deepEqual((await call("POST", "/drop", { target: device.jid, how: "terminate" })).body, { affected: 1 });
    await first.closed;
    const second = await logIn();
    deepEqual((await call("POST", "/stream-error", { target: number, code: 503 })).body, { affected: 1 });
    await second.closed;
    equal((await call("GET", "/stats")).body.logins, 2);
    equal((await call("GET", "/devices")).body[0].logins, 2);
    deepEqual((await call("POST", `/phones/${number}/unlink`)).body.devices, []);
    equal((await call("GET", "/devices")).body[0].removed, true);
  },
);

Deno.test("the control API adds, lists and removes faults, and takes the gateway down and up", {
  ...NOTHING_LEFT,
}, async () => {
  await using gateway = await startGateway({ controlPort: 0 });
  const call = caller(gateway);
  const first = await call("POST", "/faults", { do: "refuse", times: 3 });
  deepEqual(first, { status: 201, body: { id: 1 } });
  await call("POST", "/faults", { do: "http-status", status: 503 });
  equal((await call("DELETE", "/faults/1")).status, 204);
  deepEqual((await call("GET", "/faults")).body, [{
    id: 2,
    rule: { do: "http-status", status: 503 },
    used: 0,
  }]);
  equal((await call("DELETE", "/faults")).status, 204);
  deepEqual((await call("GET", "/faults")).body, []);
  deepEqual((await call("POST", "/down")).body, { listening: false });
  equal((await call("GET", "/")).body.listening, false);
  deepEqual((await call("POST", "/up")).body, { listening: true });
});

Deno.test(
  "the control API answers 4xx with a sentence when the call makes no sense",
  NOTHING_LEFT,
  async () => {
    await using gateway = await startGateway({ controlPort: 0 });
    const call = caller(gateway);
    const number = gateway.phone().number;
    const cases: [string, string, unknown, number, RegExp][] = [
      ["POST", "/phones", { number: "12" }, 400, /E\.164/],
      ["POST", "/phones", "{", 400, /no JSON/],
      ["POST", "/phones", "[]", 400, /JSON object/],
      ["POST", "/phones/+5491155559999/scan", { qr_string: "x" }, 404, /no phone/],
      ["POST", `/phones/${number}/scan`, {}, 400, /qr_string is missing/],
      ["POST", `/phones/${number}/scan`, { qr_string: "x" }, 400, /data URL/],
      ["POST", `/phones/${number}/unlink`, { device: "nobody" }, 400, /not linked/],
      ["POST", "/faults", { do: "explode" }, 400, /no fault/],
      ["DELETE", "/faults/9", undefined, 404, /no such fault/],
      ["POST", "/drop", { how: "gently" }, 400, /how is/],
      ["POST", "/stream-error", { code: 503 }, 400, /target/],
      ["GET", "/nothing", undefined, 404, /no such route/],
    ];
    for (const [method, path, body, status, sentence] of cases) {
      const answer = await call(method, path, body);
      equal(answer.status, status, path);
      match(answer.body.error, sentence);
    }
  },
);
