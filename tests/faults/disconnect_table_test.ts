/**
 * Each row of the table of ends, once, through the WhatsApp server; the outcome is what HTTP tells, and the
 * code is what the row says.
 */
import assert from "node:assert/strict";
import { DISCONNECT_TABLE } from "../../domain/disconnect.ts";
import type { SessionStatus } from "@session-manager/contract";
import { type Phone, startGateway } from "../../lab/simulator/mod.ts";
import { sabotage, SABOTEUR } from "../../lab/sabotage/sabotage.ts";
import { SkippingClock } from "../../lab/clocks/skipping_clock.ts";
import { QUICK_LINKS, scenarios } from "../e2e/scenarios.ts";
import { scenario, UNWATCHED, type World, type WorldOptions } from "../e2e/world.ts";

/** One way to end a linked session's socket, and what must come of it. */
interface Strike {
  readonly strike: (world: World, phone: Phone) => unknown;
  readonly outcome: `${SessionStatus} ${string}`;
  readonly options?: WorldOptions;
}

/** The retry is put off, so that what the end has left can be read in peace. */
const PUT_OFF: WorldOptions = {
  ...QUICK_LINKS,
  policy: { backoff: { baseMs: 86_400_000, quickMs: 86_400_000, capMs: 86_400_000 } },
  supervision: { clock: new SkippingClock(() => 0.99) },
};

/** A drop, and then a login that WhatsApp answers with this code. */
const failedLogin = (code: number) => (world: World, phone: Phone) => {
  world.gateway.faults.add({ do: "failure", code, kind: "login", times: 1 });
  restart(world, phone);
};
/** WhatsApp asks for a restart: the next login comes at once. */
const restart = (world: World, phone: Phone) => world.gateway.streamError(phone, { code: 515 });

const listening = new SkippingClock(() => 0.99);
/** Any silence is too long, and is looked for when the test says so. */
const LISTENING: WorldOptions = {
  ...PUT_OFF,
  socketSettings: { silenceMs: 0 },
  supervision: { clock: listening, ...UNWATCHED },
};

const SABOTAGED: WorldOptions = {
  ...PUT_OFF,
  supervision: { ...PUT_OFF.supervision, workerScript: SABOTEUR },
};

const STRIKES: Readonly<Record<string, Strike>> = {
  "unlinked on the phone": {
    strike: (_world, phone) => phone.unlink(),
    outcome: "disconnected LOGOUT",
  },
  "login used elsewhere": {
    strike: ({ gateway }, phone) =>
      gateway.streamError(phone, { child: "conflict", attrs: { type: "replaced" } }),
    outcome: "error LOGGED_IN_ELSEWHERE",
  },
  "401 login unknown": { strike: failedLogin(401), outcome: "disconnected LOGOUT" },
  "403 account forbidden": { strike: failedLogin(403), outcome: "error ACCOUNT_FORBIDDEN" },
  "405 client outdated": { strike: failedLogin(405), outcome: "error CLIENT_OUTDATED" },
  "408 WhatsApp timed out": { strike: failedLogin(408), outcome: "disconnected TIMEOUT" },
  "411 WhatsApp cannot link devices": { strike: failedLogin(411), outcome: "error MULTIDEVICE_MISMATCH" },
  "428 WhatsApp closed": { strike: failedLogin(428), outcome: "disconnected NETWORK" },
  "440 conflict": {
    strike: ({ gateway }, phone) => gateway.streamError(phone, { code: 440 }),
    outcome: "error LOGGED_IN_ELSEWHERE",
  },
  "500 WhatsApp failed": {
    strike: ({ gateway }, phone) => gateway.streamError(phone, { child: "xml-not-well-formed" }),
    outcome: "disconnected UNKNOWN",
  },
  "503 WhatsApp unavailable": { strike: failedLogin(503), outcome: "disconnected NETWORK" },
  "515 restart required": { strike: restart, outcome: "connected " },
  "unknown code of WhatsApp's": { strike: failedLogin(599), outcome: "disconnected UNKNOWN" },
  "unanswered": {
    strike: ({ gateway }, phone) => {
      gateway.silence(phone);
      listening.skip(UNWATCHED.watch.heartbeatMs);
    },
    outcome: "disconnected TIMEOUT",
    options: LISTENING,
  },
  "downgrade demanded": {
    strike: (world, phone) => {
      world.gateway.faults.add({ do: "downgrade", kind: "login", times: 1 });
      restart(world, phone);
    },
    outcome: "error MULTIDEVICE_MISMATCH",
  },
  "connection closed": {
    strike: ({ gateway }, phone) => gateway.drop(phone, "xmlstreamend"),
    outcome: "disconnected NETWORK",
  },
  "certificate refused": {
    strike: (world, phone) => {
      // Baileys' own check would take any signature for WhatsApp's.
      world.gateway.faults.add({ do: "bad-certificate", flaw: "signature", times: 1 });
      restart(world, phone);
    },
    outcome: "disconnected UNKNOWN",
  },
  "handshake or stream unintelligible": {
    strike: (world, phone) => {
      world.gateway.faults.add({ do: "garble-handshake", times: 1 });
      restart(world, phone);
    },
    outcome: "disconnected UNKNOWN",
  },
  "no way through": {
    strike: ({ gateway }) => gateway.goDown(),
    outcome: "disconnected NETWORK",
  },
  "worker lost": {
    strike: () => sabotage("close"),
    outcome: "disconnected UNKNOWN",
    options: SABOTAGED,
  },
};

/** The kernel's own timeout takes minutes, and no rule of a loopback network brings it about sooner. */
const ONLY_IN_THE_DOMAIN = ["no answer"];

Deno.test("every row of the table of ends is tried", () => {
  assert.deepEqual(
    DISCONNECT_TABLE.map(({ name }) => name).filter((name) => !ONLY_IN_THE_DOMAIN.includes(name)),
    Object.keys(STRIKES),
  );
});

for (const options of new Set(Object.values(STRIKES).map((strike) => strike.options ?? PUT_OFF))) {
  const struck = Object.entries(STRIKES).filter(([, strike]) => (strike.options ?? PUT_OFF) === options);
  scenarios(
    `the ends of a socket: ${struck.length > 1 ? `${struck.length} of them` : struck[0]?.[0]}`,
    { ...options, only: "sqlite" },
    Object.fromEntries(
      struck.map(([name, { strike, outcome }]) => [
        `${name} leaves ${outcome.trim()}`,
        (world) => end(world, name.replaceAll(/[^a-z0-9]/gi, "_"), strike, outcome),
      ]),
    ),
  );
}

async function end(
  world: World,
  instanceId: string,
  strike: Strike["strike"],
  outcome: string,
): Promise<void> {
  const phone = await world.link(instanceId);
  const ended = world.log.next(({ event }) => event === "socket_closed");
  await strike(world, phone);
  assert.equal((await ended).instance_id, instanceId);
  const [status, code] = outcome.split(" ");
  const session = await world.until(instanceId, (seen) => seen.status === status);
  assert.equal(session.qr_string, null);
  const [row] = await world.rows(
    "SELECT status, last_error_code, last_error_message FROM ll_whatsapp_qr_sessions " +
      `WHERE instance_id = '${instanceId}'`,
  );
  assert.equal(row?.status, status);
  assert.equal(row?.last_error_code ?? "", code);
  assert.equal(row?.last_error_message === null, code === "");
  assert.equal(world.gateway.stats.overlaps, 0);
}

for (
  const [what, url, errno] of [
    ["a host that cannot be resolved", () => "ws://whatsapp.invalid:5222/ws/chat", "ENOTFOUND"],
    ["a server that speaks no TLS", (plain: string) => plain.replace("ws:", "wss:"), /./],
  ] as const
) {
  scenario(`${what} is a QR that fails at once, for want of a way through`, async (start) => {
    await using gateway = await startGateway();
    await using world = await start({ gateway, environment: { WHATSAPP_WS_URL: url(gateway.url) } });
    const ended = world.log.next(({ event }) => event === "socket_closed");
    assert.equal((await world.hub.requestQr("lost")).status, 500);
    const { origin, errno: seen } = await ended;
    assert.equal(origin, "network");
    assert.match(String(seen), new RegExp(errno));
  }, { only: "sqlite" });
}
