/**
 * What can be done to a session whose device is online, and to one whose is not.
 * @module
 */
import { DISCONNECT_REASONS } from "@session-manager/contract";
import type { FaultRule, Gateway } from "../simulator/mod.ts";
import type { FrontDoor } from "./chaos_front_door.ts";
import type { Subject } from "./chaos_subject.ts";
import type { Chance } from "./random.ts";

/** What a fault has at hand. */
export interface Arena {
  readonly gateway: Gateway;
  readonly door: FrontDoor;
  readonly chance: Chance;
}

/** One kind of fault: how often it is chosen beside the others, and what it does. */
export interface Fault {
  readonly name: string;
  readonly weight: number;
  readonly strike: (arena: Arena, subject: Subject) => unknown;
}

type RuleOf = (arena: Arena, subject: Subject) => FaultRule;

/** The connection is lost, and something goes wrong as it comes back. */
const onReturn = (name: string, weight: number, rule: RuleOf): Fault => ({
  name,
  weight,
  strike: (arena, subject) => {
    arena.gateway.faults.add({ times: 1, ...rule(arena, subject) });
    arena.gateway.drop(subject.phone);
    subject.look();
  },
});

const onStream = (name: string, weight: number, strike: Fault["strike"]): Fault => ({
  name,
  weight,
  strike: (arena, subject) => {
    strike(arena, subject);
    subject.look();
  },
});

const RETRIED_CODES = [408, 428, 500, 503, 515, 402, 599, 777];
const FATAL_CODES = [403, 405, 411, 440];
const KNOWN_ERRORS = [{ code: 503 }, { code: 408 }, { code: 428 }, { child: "xml-not-well-formed" }];
const UNKNOWN_ERRORS = [{ code: 599 }, { code: 402 }, { code: 777, child: "weather" }];

/** For a session whose device is online. */
export const LIVE_FAULTS: readonly Fault[] = [
  ...(["terminate", "close", "xmlstreamend"] as const).map((how) =>
    onStream(`drop ${how}`, 3, ({ gateway }, { phone }) => gateway.drop(phone, how))
  ),
  onStream("stream error, known", 3, ({ gateway, chance }, { phone }) => {
    gateway.streamError(phone, chance.pick(KNOWN_ERRORS));
  }),
  onStream("stream error, unknown", 3, ({ gateway, chance }, { phone }) => {
    gateway.streamError(phone, chance.pick(UNKNOWN_ERRORS));
  }),
  onStream("515 on an open socket", 3, ({ gateway }, { phone }) => gateway.streamError(phone, { code: 515 })),
  onStream("silence", 3, ({ gateway }, subject) => {
    gateway.silence(subject.phone);
    subject.deaden();
  }),
  onStream("garbled frame", 3, ({ gateway }, subject) => {
    gateway.garble(subject.phone);
    subject.deaden();
  }),
  onStream("conflict replaced", 1, ({ gateway }, subject) => {
    subject.isFatal = true;
    subject.end("replaced");
    gateway.streamError(subject.phone, { child: "conflict", attrs: { type: "replaced" } });
  }),
  onStream("unlinked on the phone", 2, (_arena, { phone }) => phone.unlink()),
  onReturn("login failure, retried", 4, ({ chance }, { phone }) => (
    { do: "failure", code: chance.pick(RETRIED_CODES), phone: phone.number, kind: "login" }
  )),
  onReturn("login failure, fatal", 1, ({ chance }, { phone }) => (
    { do: "failure", code: chance.pick(FATAL_CODES), phone: phone.number, kind: "login" }
  )),
  onReturn("login failure 401", 1, (_arena, { phone }) => (
    { do: "failure", code: 401, phone: phone.number, kind: "login" }
  )),
  onReturn("downgrade at login", 1, (_arena, subject) => {
    subject.isDoomed = true;
    return { do: "downgrade", phone: subject.phone.number, kind: "login" };
  }),
  onReturn("no success", 2, (_arena, { phone }) => ({ do: "no-success", phone: phone.number })),
  onReturn("no iq", 2, ({ chance }, { phone }) => {
    const xmlns = chance.pick([undefined, "encrypt", "passive", "w:p"]);
    return { do: "no-iq", phone: phone.number, ...(xmlns === undefined ? {} : { xmlns }) };
  }),
  onReturn("delay", 3, ({ chance }, { phone }) => (
    { do: "delay", stage: chance.pick(["success", "iq"]), ms: chance.below(1_500), phone: phone.number }
  )),
  {
    name: "told connected, truly",
    weight: 1,
    strike: tellConnected,
  },
  { name: "told disconnected", weight: 3, strike: tellDisconnected },
  { name: "told LOGOUT", weight: 1, strike: tellLogout },
  {
    name: "POST /qr while connected",
    weight: 1,
    strike: ({ door }, { instanceId }) => door.requestQr(instanceId),
  },
];

/** For a session whose device is not online: mostly, somebody links it again. */
export const LOST_FAULTS: readonly Fault[] = [
  { name: "scan", weight: 12, strike: scan },
  { name: "scan, late", weight: 2, strike: scanLate },
  { name: "QR left to expire", weight: 2, strike: ({ door }, { instanceId }) => door.requestQr(instanceId) },
  {
    name: "POST /qr storm",
    weight: 3,
    strike: ({ door }, { instanceId }) =>
      Promise.all(Array.from({ length: 10 }, () => door.requestQr(instanceId))),
  },
  { name: "passkey demanded", weight: 1, strike: scanWithPasskey },
  scanWith("slow refs", ({ chance }) => (
    { do: "delay", stage: "pairing", ms: chance.below(1_500), kind: "pairing" }
  )),
  scanWith("slow 515", ({ chance }, { phone }) => (
    { do: "delay", stage: "515", ms: chance.below(1_500), phone: phone.number }
  )),
  scanWith("no pair-success", (_arena, { phone }) => ({ do: "no-pair-success", phone: phone.number })),
  scanWith("pair-success that is not authentic", (_arena, { phone }) => (
    { do: "bad-hmac", phone: phone.number }
  )),
  scanWith("no 515", ({ chance }, { phone }) => (
    { do: "no-515", close: chance.happens(0.5), phone: phone.number }
  )),
  scanWith("no refs", () => ({ do: "no-refs", kind: "pairing" })),
  scanWith("registration failure", ({ chance }) => (
    { do: "failure", code: chance.pick([401, 408, 500, 503, 599]), kind: "pairing" }
  )),
  { name: "told connected, untruly", weight: 1, strike: tellConnected },
  { name: "told disconnected while lost", weight: 2, strike: tellDisconnected },
  { name: "told LOGOUT while lost", weight: 1, strike: tellLogout },
];

/** A pairing in which something goes wrong. */
function scanWith(name: string, rule: RuleOf): Fault {
  return {
    name,
    weight: 1,
    strike: async (arena, subject) => {
      const { remove } = arena.gateway.faults.add({ times: 1, ...rule(arena, subject) });
      await scan(arena, subject);
      remove();
    },
  };
}

async function scan({ door }: Arena, subject: Subject): Promise<void> {
  const { body } = await door.requestQr(subject.instanceId);
  if (body !== null) await subject.phone.scan(body.qr_string);
}

/** Somebody stands before the QR for a while; it may have been replaced, or its socket may be gone. */
async function scanLate({ door, chance }: Arena, subject: Subject): Promise<void> {
  const { body } = await door.requestQr(subject.instanceId);
  await new Promise((resolve) => setTimeout(resolve, chance.below(3_000)));
  if (body !== null) await subject.phone.scan(body.qr_string);
}

async function scanWithPasskey(arena: Arena, subject: Subject): Promise<void> {
  const { body } = await arena.door.requestQr(subject.instanceId);
  if (body === null) return;
  subject.phone.requiresPasskey = true;
  try {
    subject.isFatal = true;
    const { outcome } = await subject.phone.scan(body.qr_string);
    if (outcome === "passkey_demanded") subject.end("passkey demanded");
  } finally {
    subject.phone.requiresPasskey = false;
  }
}

async function tellConnected({ door }: Arena, subject: Subject): Promise<void> {
  const wasLive = subject.isLive;
  subject.toldSince = Infinity;
  const { body } = await door.reportConnected(subject.instanceId, subject.phone.number);
  if (body === null) return; // for want of the database; it will be carried out when that is back
  subject.toldSince = wasLive && subject.isLive ? null : performance.now();
}

async function tellDisconnected({ door, chance }: Arena, subject: Subject): Promise<void> {
  const reasons = DISCONNECT_REASONS.filter((reason) => reason !== "LOGOUT");
  await door.reportDisconnected(subject.instanceId, chance.pick(reasons));
}

async function tellLogout({ door }: Arena, subject: Subject): Promise<void> {
  subject.end("told LOGOUT");
  await door.reportDisconnected(subject.instanceId, "LOGOUT");
}
