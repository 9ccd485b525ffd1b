import assert from "node:assert/strict";
import fc from "fast-check";
import { type DisconnectCause, judge, type Verdict } from "../../domain/disconnect.ts";
import { FAULT_CODES } from "@session-manager/contract";
import { causes, randoms } from "./arbitraries.ts";
import { closed, dropped, loggingIn, online, then } from "./journeys.ts";

const retry = (reason: "NETWORK" | "TIMEOUT" | "UNKNOWN"): Verdict => ({ kind: "retry", reason });
const unrecoverable = (code: typeof FAULT_CODES[number]): Verdict => ({ kind: "unrecoverable", code });

/** WhatsApp's own codes, as the decisions and the protocol name them. */
const FROM_WHATSAPP: readonly (readonly [number, Verdict])[] = [
  [401, { kind: "logged_out" }],
  [403, unrecoverable("ACCOUNT_FORBIDDEN")],
  [405, unrecoverable("CLIENT_OUTDATED")],
  [408, retry("TIMEOUT")],
  [411, unrecoverable("MULTIDEVICE_MISMATCH")],
  [428, retry("NETWORK")],
  [440, unrecoverable("LOGGED_IN_ELSEWHERE")],
  [500, retry("UNKNOWN")],
  [503, retry("NETWORK")],
  [515, { kind: "restart" }],
];

/** The socket layer's own codes. */
const FROM_CLIENT: readonly (readonly [number, Verdict])[] = [
  [400, retry("UNKNOWN")],
  [408, retry("TIMEOUT")],
  [411, unrecoverable("MULTIDEVICE_MISMATCH")],
  [428, retry("NETWORK")],
];

for (const [origin, table] of [["whatsapp", FROM_WHATSAPP], ["client", FROM_CLIENT]] as const) {
  for (const [code, verdict] of table) {
    const detail = "code" in verdict ? verdict.code : "reason" in verdict ? verdict.reason : "";
    Deno.test(`judge() says ${[verdict.kind, detail].join(" ").trim()} when the ${origin} ends it with ${code}`, () => {
      assert.deepEqual(judge({ origin, code }), verdict);
    });
  }

  Deno.test(`judge() says retry UNKNOWN when the ${origin} ends it with any other code from 400 to 599`, () => {
    const named = new Set(table.map(([code]) => code));
    for (let code = 400; code < 600; code++) {
      if (!named.has(code)) assert.deepEqual(judge({ origin, code }), retry("UNKNOWN"), `code ${code}`);
    }
  });
}

Deno.test("judge() says retry NETWORK, and nothing of the login, when a proxy answers with any status", () => {
  for (let status = 100; status < 600; status++) {
    assert.deepEqual(judge({ origin: "network", status }), retry("NETWORK"), `status ${status}`);
  }
});

for (const errno of ["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ENOTFOUND", "EHOSTUNREACH"]) {
  Deno.test(`judge() says retry NETWORK when the operating system says ${errno}`, () => {
    assert.deepEqual(judge({ origin: "network", errno }), retry("NETWORK"));
  });
}

for (const errno of ["ETIMEDOUT", "ESOCKETTIMEDOUT"]) {
  Deno.test(`judge() says retry TIMEOUT when the operating system says ${errno}`, () => {
    assert.deepEqual(judge({ origin: "network", errno }), retry("TIMEOUT"));
  });
}

Deno.test("judge() says retry NETWORK when the network fails and says nothing more", () => {
  assert.deepEqual(judge({ origin: "network" }), retry("NETWORK"));
});

Deno.test("judge() says retry UNKNOWN when the worker that carried the socket is gone", () => {
  assert.deepEqual(judge({ origin: "worker" }), retry("UNKNOWN"));
});

Deno.test("judge() has a verdict of the four kinds, whatever the cause", () => {
  fc.assert(fc.property(causes, (cause) => {
    const verdict = judge(cause);
    assert.ok(["retry", "restart", "logged_out", "unrecoverable"].includes(verdict.kind));
    if (verdict.kind === "unrecoverable") assert.ok(FAULT_CODES.includes(verdict.code));
  }));
});

Deno.test("transition() never logs out or suspends when the network, the worker or the socket layer says 401 or 403", () => {
  const harmless: DisconnectCause[] = [{ origin: "worker" }];
  for (const code of [401, 403]) {
    harmless.push({ origin: "network", status: code }, { origin: "client", code });
  }
  fc.assert(fc.property(fc.constantFrom(...harmless), randoms, (cause, random) => {
    for (const place of [loggingIn(), online(), loggingIn(dropped())]) {
      const { snapshot, effects } = then(place, closed(cause), 1_000, { random });
      assert.equal(snapshot.link, "working");
      assert.equal(snapshot.login.kind, "waiting");
      assert.deepEqual(effects, []);
    }
  }));
});
