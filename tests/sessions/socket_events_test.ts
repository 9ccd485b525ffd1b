import assert from "node:assert/strict";
import { trace } from "@opentelemetry/api";
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { SessionEvent } from "../../domain/events.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import type { LogFields } from "../../runtime/log.ts";
import { Logins } from "../../sessions/logins.ts";
import type { SocketEvent } from "../../sessions/ports/sockets.ts";
import type { KeyWrite } from "../../domain/credentials.ts";
import { type CredentialStore, CredentialsUnreadableError } from "../../sessions/ports/store.ts";
import { listenTo, type ReportLine } from "../../sessions/socket_events.ts";

const JID = "5491155550001:7@s.whatsapp.net";
const KEYS: readonly KeyWrite[] = [{ type: "session", id: "1", value: "x" }];
const LEASE = { epoch: 7 } as unknown as Parameters<Parameters<ReportLine["serve"]>[0]>[0];

/** A session's side of one socket: what arrives there, and what its store was asked for. */
function session(kind: ReportLine["kind"]) {
  const clock = new DrivenClock();
  const heard: SessionEvent[] = [];
  const ended: SessionEvent[] = [];
  const lines: LogFields[] = [];
  const calls: unknown[] = [];
  const unreadable: CredentialsUnreadableError[] = [];
  const logins = new Logins();
  const note = (line: LogFields) => void lines.push(line);
  const store = {
    loadKeys: (...call: unknown[]) => {
      calls.push(call);
      return Promise.resolve(new Map([["1", "x"]]));
    },
    saveKeys: (...call: unknown[]) => {
      calls.push(call);
      return Promise.resolve();
    },
  } as unknown as CredentialStore;
  const line: ReportLine = {
    kind,
    hear: (event) => void heard.push(event),
    unreadable: (error) => void unreadable.push(error),
    end: (event) => void ended.push(event),
    adopt: (...call) => {
      calls.push(call);
      return Promise.resolve();
    },
    serve: (work) => work(LEASE),
  };
  const span = trace.getTracer("test").startSpan("socket");
  let spanEnds = 0;
  span.end = () => void spanEnds++;
  const owner = {
    instanceId: "one",
    store,
    logins,
    clock,
    log: { debug: note, info: note, warn: note, error: note },
  };
  const listener = listenTo(owner, line, span);
  return {
    clock,
    heard,
    unreadable,
    ended,
    lines,
    calls,
    logins,
    line,
    store,
    listener,
    spanEnds: () => spanEnds,
  };
}

Deno.test("onEvent() tells the session of a QR by the wall time of its moment", () => {
  const { clock, heard, listener, spanEnds } = session("pairing");
  clock.advance(10_000);
  listener.onEvent({ type: "qr", string: "data:", ordinal: 3 }, clock.steady() - 4_000);
  assert.deepEqual(heard, [{
    type: "qr",
    string: "data:",
    ordinal: 3,
    generatedAt: clock.now() - 4_000,
  }]);
  assert.equal(spanEnds(), 1);
});

Deno.test("onEvent() tells the session of a connection with its phone number, and of a demanded passkey", () => {
  const { heard, listener } = session("login");
  const events: SocketEvent[] = [{ type: "connected", jid: JID }, { type: "passkey_demanded" }];
  for (const event of events) listener.onEvent(event, 0);
  assert.deepEqual(heard, [
    { type: "connected", phoneNumber: "+5491155550001", source: "socket" },
    { type: "passkey_demanded" },
  ]);
});

Deno.test("onEvent() notes which login a session uses, and warns when another session uses it", () => {
  const { heard, lines, logins, listener } = session("login");
  logins.use("copy", JID);
  listener.onEvent({ type: "identified", jid: JID }, 0);
  assert.equal(logins.rivalOf("one"), "copy");
  assert.deepEqual(lines, [{ event: "login_shared", instance_id: "one", rivals: ["copy"] }]);
  assert.deepEqual(heard, []);
});

Deno.test("onEvent() tells a socket's end as its line's, with the rival of a login", () => {
  const cause: DisconnectCause = { origin: "whatsapp", code: 440 };
  const pairing = session("pairing");
  pairing.listener.onEvent({ type: "closed", cause }, 0);
  assert.deepEqual(pairing.ended, [{ type: "pairing_closed", cause }]);
  assert.deepEqual(pairing.lines, [{
    event: "socket_closed",
    instance_id: "one",
    socket: "pairing",
    ...cause,
  }]);

  const login = session("login");
  for (const user of ["one", "copy"]) login.logins.use(user, JID);
  login.listener.onEvent({ type: "closed", cause }, 0);
  assert.deepEqual(login.ended, [{ type: "login_closed", cause, rival: "copy" }]);
  assert.deepEqual([login.heard, login.spanEnds()], [[], 1]);
});

Deno.test("onRequest() adopts a paired login, loads keys, and saves them under the lease", async () => {
  const { calls, listener } = session("login");
  assert.deepEqual(await listener.onRequest({ type: "paired", credentials: "{}", keys: KEYS }), new Map());
  assert.deepEqual(
    await listener.onRequest({ type: "load_keys", keyType: "session", ids: ["1"] }),
    new Map([["1", "x"]]),
  );
  assert.deepEqual(
    await listener.onRequest({ type: "save_keys", keys: KEYS, credentials: "{}" }),
    new Map(),
  );
  assert.deepEqual(calls, [
    ["{}", KEYS],
    ["one", "session", ["1"]],
    ["one", KEYS, "{}", LEASE],
  ]);
});

Deno.test("onRequest() rejects, and tells the session, when the stored keys cannot be read", async () => {
  const { unreadable, store, listener } = session("login");
  const error = new CredentialsUnreadableError("one");
  store.loadKeys = () => Promise.reject(error);
  const loading = listener.onRequest({ type: "load_keys", keyType: "session", ids: ["1"] });
  await assert.rejects(loading, CredentialsUnreadableError);
  assert.deepEqual(unreadable, [error]);
});

Deno.test("onRequest() rejects, and tells the session nothing, when the socket is stale", async () => {
  const { heard, line, listener } = session("login");
  const stale = () => Promise.reject(new Error("The socket has been replaced."));
  Object.assign(line, { serve: stale, adopt: stale });
  const requests = [
    { type: "paired", credentials: "{}", keys: KEYS },
    { type: "load_keys", keyType: "session", ids: ["1"] },
    { type: "save_keys", keys: KEYS },
  ] as const;
  for (const request of requests) await assert.rejects(listener.onRequest(request), /replaced/);
  assert.deepEqual(heard, []);
});
